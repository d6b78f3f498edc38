"""MiT as an ONNX graph, from its weights alone (emu_model.backbones.mit is the PyTorch form).

Everything but the convolutions works on tokens (B, h*w, C), and a stage takes h and w from the
shape of its first map at run time: one graph serves every image size.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emu_model.graphs.builder import GraphBuilder
from emu_model.mit_variants import NUM_HEADS

_DEFAULT_EPS = {'norm_eps': 1e-6, 'embed_norm_eps': 1e-5}


class MiTGraph:
    """Appends a MiT encoder to a graph.

    Args:
        builder: The graph.
        weights: Arrays by their names in the encoder's state dict (features_only).
        options: The encoder's keyword arguments; the LayerNorm eps count here.
    """

    def __init__(
        self, builder: GraphBuilder, weights: Mapping[str, np.ndarray], options: Mapping[str, Any]
    ) -> None:
        self._graph = builder
        self._weights = weights
        eps = {name: options.get(name, value) for name, value in _DEFAULT_EPS.items()}
        self._norm_eps, self._embed_norm_eps = eps['norm_eps'], eps['embed_norm_eps']

    def add(self, image: str) -> list[str]:
        """From a normalised image (B, H, W, 3) to the four maps (B, h, w, C), finest first."""
        features = []
        x = image
        for stage in range(len(NUM_HEADS)):
            x = self._stage(f'stages_{stage}', x, NUM_HEADS[stage], stride=2 if stage else 4)
            features.append(x)
        return features

    def _stage(self, prefix: str, x: str, heads: int, stride: int) -> str:
        graph = self._graph
        patch = self._weights[f'{prefix}.patch_embed.proj.weight'].shape[-1]
        x = self._conv(f'{prefix}.patch_embed.proj', x, strides=stride, pad=patch // 2)
        self._grid = graph.add(
            'Slice', graph.add('Shape', x), *(graph.constant([i], np.int64) for i in (0, 3))
        )
        dim = self._weights[f'{prefix}.norm.weight'].size
        x = self._to_tokens(x, dim)
        x = self._norm(f'{prefix}.patch_embed.norm', x, self._embed_norm_eps)
        block = 0
        while f'{prefix}.blocks.{block}.norm1.weight' in self._weights:
            x = self._block(f'{prefix}.blocks.{block}', x, heads)
            block += 1
        return self._to_map(self._norm(f'{prefix}.norm', x, self._norm_eps))

    def _block(self, prefix: str, x: str, heads: int) -> str:
        graph = self._graph
        attended = self._attention(
            f'{prefix}.attn', self._norm(f'{prefix}.norm1', x, self._norm_eps), heads
        )
        x = graph.add('Add', x, attended)
        hidden = self._linear(
            f'{prefix}.mlp.fc1', self._norm(f'{prefix}.norm2', x, self._norm_eps)
        )
        groups = self._weights[f'{prefix}.mlp.dwconv.weight'].shape[0]
        hidden = self._conv(f'{prefix}.mlp.dwconv', self._to_map(hidden), pad=1, group=groups)
        activated = graph.add('Gelu', self._to_tokens(hidden, groups))
        return graph.add('Add', x, self._linear(f'{prefix}.mlp.fc2', activated))

    def _attention(self, prefix: str, x: str, heads: int) -> str:
        graph = self._graph
        source = x
        dim = self._weights[f'{prefix}.q.weight'].shape[0]
        if f'{prefix}.reduction.weight' in self._weights:
            ratio = self._weights[f'{prefix}.reduction.weight'].shape[-1]
            reduced = self._conv(f'{prefix}.reduction', self._to_map(x), strides=ratio)
            source = self._to_tokens(reduced, dim)
            source = self._norm(f'{prefix}.norm', source, self._embed_norm_eps)
        # 1/sqrt(d) goes into the query's weights, and key and value become layers of their own.
        scale = (dim // heads) ** -0.5
        query = self._split_heads(self._linear(f'{prefix}.q', x, scale=scale), dim, heads)
        key = self._linear(f'{prefix}.kv', source, rows=slice(0, dim))
        value = self._linear(f'{prefix}.kv', source, rows=slice(dim, None))
        key = self._split_heads(key, dim, heads, perm=[0, 2, 3, 1])
        value = self._split_heads(value, dim, heads)
        weights = graph.add('Softmax', graph.add('MatMul', query, key), axis=-1)
        attended = graph.add('Transpose', graph.add('MatMul', weights, value), perm=[0, 2, 1, 3])
        merged = graph.add('Reshape', attended, graph.constant([0, 0, dim], np.int64))
        return self._linear(f'{prefix}.proj', merged)

    def _to_tokens(self, x: str, channels: int) -> str:
        """(B, h, w, C) to (B, h*w, C)."""
        return self._graph.add('Reshape', x, self._graph.constant([0, -1, channels], np.int64))

    def _to_map(self, x: str) -> str:
        """(B, h*w, C) to (B, h, w, C), with the stage's h and w."""
        graph = self._graph
        shape = graph.add('Concat', self._grid, graph.constant([-1], np.int64), axis=0)
        return graph.add('Reshape', x, shape)

    def _split_heads(self, x: str, dim: int, heads: int, perm=(0, 2, 1, 3)) -> str:
        """(B, n, C) to (B, heads, n, C/heads), or (B, n, heads, C/heads) as `perm` orders it."""
        shape = self._graph.constant([0, 0, heads, dim // heads], np.int64)
        return self._graph.add('Transpose', self._graph.add('Reshape', x, shape), perm=list(perm))

    def _linear(self, prefix: str, x: str, rows: slice = slice(None), scale: float = 1.0) -> str:
        weight = self._weights[f'{prefix}.weight'][rows] * np.float32(scale)
        bias = self._weights[f'{prefix}.bias'][rows] * np.float32(scale)
        product = self._graph.add('MatMul', x, self._graph.constant(weight.T))
        return self._graph.add('Add', product, self._graph.constant(bias))

    def _norm(self, prefix: str, x: str, eps: float) -> str:
        scale, bias = (
            self._graph.constant(self._weights[f'{prefix}.{name}']) for name in ('weight', 'bias')
        )
        return self._graph.add('LayerNormalization', x, scale, bias, axis=-1, epsilon=eps)

    def _conv(self, prefix: str, x: str, strides: int = 1, pad: int = 0, group: int = 1) -> str:
        graph = self._graph
        weight, bias = (
            graph.constant(self._weights[f'{prefix}.{name}']) for name in ('weight', 'bias')
        )
        size = self._weights[f'{prefix}.weight'].shape[-1]
        convolved = graph.add(
            'Conv',
            graph.add('Transpose', x, perm=[0, 3, 1, 2]),
            weight,
            bias,
            kernel_shape=[size, size],
            strides=[strides, strides],
            pads=[pad] * 4,
            group=group,
        )
        return graph.add('Transpose', convolved, perm=[0, 2, 3, 1])
