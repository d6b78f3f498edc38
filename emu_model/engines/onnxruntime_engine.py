"""ONNX Runtime, without PyTorch; its execution providers are a matter of configuration."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import onnx
import onnxruntime

from emu_model.batches import batch_of
from emu_model.cache import cache_folder
from emu_model.engines.decoder import Decoder, MapMaker
from emu_model.engines.device import parse_device
from emu_model.engines.engine import Engine
from emu_model.engines.graph_source import GraphSource
from emu_model.engines.strips import StripPool, Worker
from emu_model.folding import FoldedHead
from emu_model.graphs.builder import GraphBuilder
from emu_model.graphs.network import LEVELS, encoder_of

Provider = str | tuple[str, dict]

_CPU = 'CPUExecutionProvider'
_CUDA = 'CUDAExecutionProvider'
_TENSORRT = 'TensorrtExecutionProvider'
_KEPT_SIZES = 4


class OnnxRuntimeEngine(Engine):
    """Runs a checkpoint with ONNX Runtime.

    On the CPU the heads' finest level and the maps run in strips (emu_model.engines.strips);
    other providers run the whole network, and the CPU makes the maps.

    Args:
        checkpoint: A checkpoint file of a single network, or an ONNX file of emu_model.export.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'; 'auto' is what the providers say, else 'cpu'.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.
        precision: 'auto' or 'fp32'; with the TensorRT provider first also 'bf16' or 'fp16'.
        providers: Execution providers in order of preference, names or (name, options); by
            default the device's. The TensorRT provider keeps its engines in the cache folder.
        threads: CPU threads; all that this process may use by default.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ValueError: If a provider is not there, it lacks the precision, or the checkpoint takes
            several samples.
    """

    name = 'onnxruntime'

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        device: str = 'auto',
        network_size: tuple[int, int] | None = None,
        precision: str = 'auto',
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
    ) -> None:
        source = GraphSource(checkpoint)
        chosen = _with_options(providers or _providers_of(device), precision, source.digest)
        super().__init__(source.info, network_size, source.size)
        self.precision = 'fp32' if precision == 'auto' else precision
        self.device = _device_of(chosen)
        self._pool = StripPool(threads)
        self._heads = source.heads() if self.device == 'cpu' else None
        network = source.network()
        graph = encoder_with_projections(network, self._heads) if self._heads else network
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._pool.threads
        self._session = _start(graph, options, chosen)
        self._decoder = lru_cache(_KEPT_SIZES)(self._make_decoder)
        self._map_maker = lru_cache(_KEPT_SIZES)(self._make_map_maker)

    def close(self) -> None:
        """Free the session and stop the threads."""
        self._session = None
        self._decoder.cache_clear()
        self._map_maker.cache_clear()
        self._pool.close()

    def _infer(
        self, images: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        values = self._session.run(None, {'image': images})
        make = self._decode if self._heads else self._make_maps
        maps = [
            make([value[index] for value in values], outputs, size) for index in range(len(images))
        ]
        return {name: batch_of([each[name] for each in maps]) for name in outputs}

    def _decode(
        self, features: list[np.ndarray], outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """The maps of one frame's outputs of `encoder_with_projections`."""
        finest, *projections = features
        decoder = self._decoder(tuple(level.shape[:2] for level in features[:LEVELS]))
        return decoder.run(finest, projections, outputs, size)

    def _make_maps(
        self, raw: list[np.ndarray], outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """The maps of one frame's raw outputs."""
        rows_first = {
            task: np.ascontiguousarray(value.transpose(1, 0, 2))
            for task, value in zip(self.info.tasks, raw)
        }
        shapes = tuple((task, value.shape) for task, value in rows_first.items())
        return self._map_maker(shapes).run(rows_first, outputs, size)

    def _make_decoder(self, sizes: tuple[tuple[int, int], ...]) -> Decoder:
        return Decoder(self._heads, sizes, compile_strip, compile_strip, self._pool)

    def _make_map_maker(
        self, raw_shapes: tuple[tuple[str, tuple[int, int, int]], ...]
    ) -> MapMaker:
        return MapMaker(dict(raw_shapes), compile_strip, self._pool)


def encoder_with_projections(
    network: onnx.ModelProto, heads: Mapping[str, FoldedHead]
) -> onnx.ModelProto:
    """Cut a network's graph after the encoder and append the coarser levels' projections.

    Args:
        network: A graph of emu_model.graphs.network.
        heads: The folded heads by task.

    Returns:
        A graph with the finest feature (B, h, w, C) as first output, followed by the projections
        (B, h_l, w_l, hidden) of levels 1 to 3 for each head in turn.
    """
    builder = GraphBuilder('encoder')
    builder.input('image', 'uint8', ['batch', 'height', 'width', 3])
    builder.extend(encoder_of(network))
    builder.output('feature_0', 'float32', ['batch', 'h_0', 'w_0', 'channels'])
    for task, head in heads.items():
        for level in range(1, LEVELS):
            matrix = builder.constant(head.projections[level].T, name=f'{task}.matrix_{level}')
            projected = builder.add(
                'MatMul', f'feature_{level}', matrix, output=f'{task}.projected_{level}'
            )
            builder.output(projected, 'float32', ['batch', f'h_{level}', f'w_{level}', 'hidden'])
    return builder.model()


def compile_strip(graph: onnx.ModelProto, count: int) -> list[Worker]:
    """Workers that run a strip's graph, each on the one thread that calls it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=[_CPU])
    names = [entry.name for entry in session.get_inputs()]

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return session.run(None, dict(zip(names, inputs)))

    return [run] * count


def _start(
    graph: onnx.ModelProto,
    options: onnxruntime.SessionOptions,
    providers: Sequence[tuple[str, dict]],
) -> onnxruntime.InferenceSession:
    """A session on the first of the providers; ONNX Runtime itself would go on without it."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=list(providers), enable_fallback=0
    )
    first = providers[0][0]
    if session.get_providers()[0] != first:
        raise ValueError(
            f'ONNX Runtime could not start its {first} (what it printed says why): install the '
            "libraries that this provider needs, or choose device 'cpu'"
        )
    return session


def _providers_of(device: str) -> list[Provider]:
    kind, index = parse_device(device)
    return [(_CUDA, {'device_id': index}), _CPU] if kind == 'cuda' else [_CPU]


def _with_options(
    providers: Sequence[Provider], precision: str, digest: str
) -> list[tuple[str, dict]]:
    """The providers with the options that precision and cache ask for; all must be there."""
    named = [entry if isinstance(entry, tuple) else (entry, {}) for entry in providers]
    there = onnxruntime.get_available_providers()
    for name, _ in named:
        if name not in there:
            raise ValueError(
                f"ONNX Runtime has no provider '{name}' here, only {', '.join(there)}: install "
                'the build of onnxruntime that brings it, or choose of these'
            )
    first, options = named[0]
    if first == _TENSORRT:
        # TensorRT's own names for what it keeps know the graph's form but not its weights.
        folder = str(cache_folder() / 'tensorrt' / digest)
        cache = {'trt_engine_cache_enable': True, 'trt_engine_cache_path': folder}
        if precision in ('bf16', 'fp16'):
            cache[f'trt_{precision}_enable'] = True
        named[0] = (first, {**cache, **options})
    elif precision not in ('auto', 'fp32'):
        raise ValueError(
            f"ONNX Runtime's {first} computes in fp32 here, not in {precision}: choose precision "
            f"'auto', or the provider {_TENSORRT}"
        )
    return named


def _device_of(providers: list[tuple[str, dict]]) -> str:
    first, options = providers[0]
    if first == _CPU:
        return 'cpu'
    return f'cuda:{options.get("device_id", 0)}' if first in (_CUDA, _TENSORRT) else first
