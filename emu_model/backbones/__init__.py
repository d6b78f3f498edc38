"""Encoders: MiT, registered with timm, and any other timm model that gives feature maps."""

import timm
from timm.layers import Format
from torch import nn

from emu_model.backbones import mit  # noqa: F401  (registers MiT-B0…B5 with timm)

LEVELS = 4
"""Feature maps that the heads take: the coarsest four, at strides 4 to 32 for most backbones."""

_CHANNELS_FIRST = Format.NCHW


def create_backbone(name: str, **options) -> nn.Module:
    """A timm encoder that gives its four coarsest feature maps, without downloading weights.

    Args:
        name: A timm model name, such as 'mit_b2' or 'convnext_atto'.
        **options: Keyword arguments of the timm model.

    Returns:
        A module from an image (B, 3, H, W) to a list of four maps, finest first;
        `feature_info.channels()` gives their widths.

    Raises:
        ValueError: If timm has no such model, it does not take the options, or does not give four
            feature maps with channels first.
    """
    if not timm.is_model(name):
        raise ValueError(f"no backbone '{name}': choose mit_b0 … mit_b5 or a model of timm")
    try:
        backbone = timm.create_model(
            name, features_only=True, out_indices=tuple(range(-LEVELS, 0)), **options
        )
    except (RuntimeError, AssertionError, IndexError) as error:
        raise ValueError(
            f"backbone '{name}' does not give {LEVELS} feature maps (features_only=True): {error}"
        ) from error
    except TypeError as error:
        raise ValueError(
            f"backbone '{name}' does not take the options {options}: {error}"
        ) from error
    if getattr(backbone, 'output_fmt', _CHANNELS_FIRST) != _CHANNELS_FIRST:
        raise ValueError(
            f"backbone '{name}' gives maps (B, H, W, C), which the heads do not take: choose one "
            'that gives (B, C, H, W), as convolutional ones, MiT and PVT do'
        )
    reductions = backbone.feature_info.reduction()
    if sorted(set(reductions)) != reductions:
        raise ValueError(
            f"backbone '{name}' gives maps at strides {reductions}; the heads need a pyramid"
        )
    return backbone
