"""The sizes of MiT, the encoder of SegFormer (arXiv 2105.15203, table 6); needs no PyTorch."""

import re
from collections.abc import Mapping
from typing import Any

_WIDE = (64, 128, 320, 512)
VARIANTS = {
    'mit_b0': ((2, 2, 2, 2), (32, 64, 160, 256)),
    'mit_b1': ((2, 2, 2, 2), _WIDE),
    'mit_b2': ((3, 4, 6, 3), _WIDE),
    'mit_b3': ((3, 4, 18, 3), _WIDE),
    'mit_b4': ((3, 8, 27, 3), _WIDE),
    'mit_b5': ((3, 6, 40, 3), _WIDE),
}
"""Blocks and channels per stage, by timm name."""

NUM_HEADS = (1, 2, 5, 8)
"""Attention heads per stage."""

SMALLEST_FRAME = 29
"""Pixels a side: the first stage's attention takes 8x8 places of its map, at a quarter of them."""


def sizes_of(weights: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and channels per stage of an encoder's weights, as in VARIANTS.

    Args:
        weights: Arrays or tensors by their names in the encoder's state dict.
    """
    stages = range(len(NUM_HEADS))
    numbers = [re.match(r'stages_(\d)\.blocks\.(\d+)\.', name) for name in weights]
    blocks = {(int(match[1]), int(match[2])) for match in numbers if match}
    norms = [weights.get(f'stages_{stage}.norm.weight') for stage in stages]
    return (
        tuple(sum(of == stage for of, _ in blocks) for stage in stages),
        tuple(0 if norm is None else len(norm) for norm in norms),
    )
