"""Mix Transformer (MiT), the hierarchical encoder of SegFormer, as timm models.

Paper: `SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers` -
https://arxiv.org/abs/2105.15203

Written from the paper. Pretrained weights are the user's to bring (emu_model.import_weights);
those of NVlabs are for non-commercial use.
"""

import torch
import torch.nn.functional as F
from timm.layers import DropPath, LayerNorm, calculate_drop_path_rates, trunc_normal_
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from emu_model.mit_variants import NUM_HEADS, VARIANTS

REDUCTION_RATIOS = (8, 4, 2, 1)
MLP_RATIO = 4


def to_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Tokens (B, H*W, C) as a feature map (B, C, H, W)."""
    return tokens.transpose(1, 2).unflatten(2, size)


def to_tokens(feature_map: Tensor) -> Tensor:
    """A feature map (B, C, H, W) as tokens (B, H*W, C)."""
    return feature_map.flatten(2).transpose(1, 2)


class OverlapPatchEmbed(nn.Module):
    """Convolution over overlapping patches, then LayerNorm: (B, C, H, W) to tokens and size."""

    def __init__(self, in_chans: int, dim: int, patch_size: int, stride: int, norm_eps: float):
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, patch_size, stride, patch_size // 2)
        self.norm = LayerNorm(dim, eps=norm_eps)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        x = self.proj(x)
        return self.norm(to_tokens(x)), x.shape[2:]


class EfficientAttention(nn.Module):
    """Multi-head attention with keys and values from a map reduced by a strided convolution."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        reduction_ratio: int,
        reduction_norm_eps: float,
        proj_drop: float,
    ):
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        if reduction_ratio > 1:
            self.reduction = nn.Conv2d(dim, dim, reduction_ratio, reduction_ratio)
            self.norm = LayerNorm(dim, eps=reduction_norm_eps)
        else:
            self.reduction = None
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        source = x
        if self.reduction is not None:
            source = self.norm(to_tokens(self.reduction(to_map(x, size))))
        query = self._split_heads(self.q(x))
        key, value = (self._split_heads(part) for part in self.kv(source).chunk(2, dim=-1))
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.proj_drop(self.proj(attended.transpose(1, 2).flatten(2)))

    def _split_heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class MixFFN(nn.Module):
    """MLP with a 3x3 depthwise convolution inside, which stands in for position embeddings."""

    def __init__(self, dim: int, drop: float):
        super().__init__()
        hidden = dim * MLP_RATIO
        self.fc1 = nn.Linear(dim, hidden)
        self.dwconv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.act = nn.GELU()
        self.drop1 = nn.Dropout(drop)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop2 = nn.Dropout(drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = to_tokens(self.dwconv(to_map(self.fc1(x), size)))
        return self.drop2(self.fc2(self.drop1(self.act(x))))


class Block(nn.Module):
    """Pre-norm transformer block of efficient attention and Mix-FFN."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        reduction_ratio: int,
        norm_eps: float,
        embed_norm_eps: float,
        proj_drop: float,
        drop_path: float,
    ):
        super().__init__()
        self.norm1 = LayerNorm(dim, eps=norm_eps)
        self.attn = EfficientAttention(dim, num_heads, reduction_ratio, embed_norm_eps, proj_drop)
        self.drop_path1 = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = LayerNorm(dim, eps=norm_eps)
        self.mlp = MixFFN(dim, proj_drop)
        self.drop_path2 = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.drop_path1(self.attn(self.norm1(x), size))
        return x + self.drop_path2(self.mlp(self.norm2(x), size))


class Stage(nn.Module):
    """One level of the pyramid: patch embedding, blocks, LayerNorm; maps in, maps out."""

    def __init__(self, patch_embed: OverlapPatchEmbed, blocks: list[Block], norm: LayerNorm):
        super().__init__()
        self.patch_embed = patch_embed
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        x, size = self.patch_embed(x)
        for block in self.blocks:
            if self.grad_checkpointing and not torch.jit.is_scripting():
                x = checkpoint(block, x, size, use_reentrant=False)
            else:
                x = block(x, size)
        return to_map(self.norm(x), size).contiguous()


class MixTransformer(nn.Module):
    """The MiT encoder, with timm's classifier head.

    Args:
        depths: Blocks per stage.
        embed_dims: Channels per stage.
        in_chans: Channels of the image.
        num_classes: Classes of the classifier; 0 for none.
        global_pool: 'avg', or '' for none.
        drop_rate: Dropout before the classifier.
        proj_drop_rate: Dropout after the attention's projection and in the MLP.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0.
        norm_eps: LayerNorm eps in blocks and at the end of stages.
        embed_norm_eps: LayerNorm eps in patch embeddings and attention reductions. The original
            weights were trained with 1e-6 and 1e-5, transformers uses 1e-5 for both.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        embed_dims: tuple[int, ...],
        in_chans: int = 3,
        num_classes: int = 1000,
        global_pool: str = 'avg',
        drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        norm_eps: float = 1e-6,
        embed_norm_eps: float = 1e-5,
    ):
        super().__init__()
        self.global_pool = global_pool
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = embed_dims[-1]
        drop_paths = calculate_drop_path_rates(drop_path_rate, depths, stagewise=True)
        stages = []
        self.feature_info = []
        for index, dim in enumerate(embed_dims):
            first = index == 0
            patch_embed = OverlapPatchEmbed(
                in_chans if first else embed_dims[index - 1],
                dim,
                patch_size=7 if first else 3,
                stride=4 if first else 2,
                norm_eps=embed_norm_eps,
            )
            blocks = [
                Block(
                    dim,
                    NUM_HEADS[index],
                    REDUCTION_RATIOS[index],
                    norm_eps,
                    embed_norm_eps,
                    proj_drop_rate,
                    drop_path,
                )
                for drop_path in drop_paths[index]
            ]
            stages.append(Stage(patch_embed, blocks, LayerNorm(dim, eps=norm_eps)))
            self.feature_info.append(
                {'num_chs': dim, 'reduction': 4 * 2**index, 'module': f'stages.{index}'}
            )
        self.stages = nn.Sequential(*stages)
        self.head_drop = nn.Dropout(drop_rate)
        self.reset_classifier(num_classes)
        self.apply(_init_weights)

    def get_classifier(self) -> nn.Module:
        """The classifier layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a fresh one; none for 0 classes."""
        self.num_classes = num_classes
        if global_pool is not None:
            self.global_pool = global_pool
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade memory for time in training: recompute blocks in the backward pass."""
        for stage in self.stages:
            stage.grad_checkpointing = enable

    def forward_features(self, x: Tensor) -> Tensor:
        """Image (B, C, H, W) to the last feature map (B, C', ceil(H/32), ceil(W/32))."""
        return self.stages(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Feature map to class scores (B, num_classes)."""
        if self.global_pool:
            x = x.mean(dim=(-2, -1))
        x = self.head_drop(x)
        return x if pre_logits else self.head(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=(2.0 * module.groups / fan_out) ** 0.5)
        nn.init.zeros_(module.bias)


default_cfgs = generate_default_cfgs(
    {
        variant: {
            'url': '',
            'num_classes': 1000,
            'input_size': (3, 224, 224),
            'pool_size': (7, 7),
            'fixed_input_size': False,
            'mean': (0.485, 0.456, 0.406),
            'std': (0.229, 0.224, 0.225),
            'interpolation': 'bicubic',
            'crop_pct': 0.9,
            'first_conv': 'stages.0.patch_embed.proj',
            'classifier': 'head',
        }
        for variant in VARIANTS
    }
)


def _create_mit(variant: str, pretrained: bool, **kwargs) -> MixTransformer:
    depths, embed_dims = VARIANTS[variant]
    return build_model_with_cfg(
        MixTransformer,
        variant,
        pretrained,
        depths=depths,
        embed_dims=embed_dims,
        feature_cfg={
            'flatten_sequential': True,
            'out_indices': kwargs.pop('out_indices', (0, 1, 2, 3)),
        },
        **kwargs,
    )


@register_model
def mit_b0(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B0, 3.6 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b0', pretrained, **kwargs)


@register_model
def mit_b1(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B1, 13.7 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b1', pretrained, **kwargs)


@register_model
def mit_b2(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B2, 24.7 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b2', pretrained, **kwargs)


@register_model
def mit_b3(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B3, 44.6 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b3', pretrained, **kwargs)


@register_model
def mit_b4(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B4, 61.4 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b4', pretrained, **kwargs)


@register_model
def mit_b5(pretrained: bool = False, **kwargs) -> MixTransformer:
    """MiT-B5, 82.0 M parameters with the ImageNet classifier."""
    return _create_mit('mit_b5', pretrained, **kwargs)
