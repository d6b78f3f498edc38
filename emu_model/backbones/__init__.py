"""Encoders: MiT, registered with timm, and any other timm model that gives feature maps."""

import timm
from torch import nn

from emu_model.backbones import mit  # noqa: F401  (registers MiT-B0…B5 with timm)

LEVELS = 4
"""Feature maps that the heads take: the coarsest four, at strides 4 to 32 for most backbones."""


def create_backbone(name: str, **options) -> nn.Module:
    """A timm encoder that gives its four coarsest feature maps, without downloading weights.

    Args:
        name: A timm model name, such as 'mit_b2' or 'convnext_atto'.
        **options: Keyword arguments of the timm model.

    Returns:
        A module from an image (B, 3, H, W) to a list of four maps, finest first;
        `feature_info.channels()` gives their widths.

    Raises:
        ValueError: If timm has no such model, or it gives fewer than four feature maps.
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
    reductions = backbone.feature_info.reduction()
    if sorted(set(reductions)) != reductions:
        raise ValueError(
            f"backbone '{name}' gives maps at strides {reductions}; the heads need a pyramid"
        )
    return backbone
