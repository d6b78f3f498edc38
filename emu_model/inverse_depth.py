"""Depth heads that predict inverse depth, as Kendall et al. (2018, arXiv 1705.07115) train them.

Inverse depth makes what is near count most, and a point at infinity a number. Works on NumPy
arrays and PyTorch tensors alike, and imports neither.
"""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

DEPTH_TARGETS = ('depth', 'inverse')
"""What the mean of a depth head can be: depth in metres, or its inverse in 1/m."""

FARTHEST_M = 1000.0
"""How far a pixel can be where the checkpoint does not say how far its data reaches."""

Map = TypeVar('Map', 'np.ndarray', 'Tensor')


def to_metres(
    inverse: Map, std: Map, depth_range_m: tuple[float, float] | None
) -> tuple[Map, Map]:
    """Depth and its standard deviation from those of the inverse depth.

    z = 1/d, and to the first order std(z) = std(d)·z².

    Args:
        inverse: Inverse depth d in 1/m, not negative, of any shape.
        std: Its standard deviation in 1/m, of the same shape.
        depth_range_m: (nearest, farthest) depth of the training data in metres; nothing is
            farther than the latter.

    Returns:
        Depth and its standard deviation in metres.
    """
    farthest_m = depth_range_m[1] if depth_range_m else FARTHEST_M
    depth = 1 / inverse.clip(1 / farthest_m)
    return depth, std * depth * depth
