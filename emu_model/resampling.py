"""Bilinear resampling as numbers, for graphs and kernels that do it themselves."""

import numpy as np


def linear_taps(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel of a resized axis comes from, pixel centres at half pixels.

    This is `torch.nn.functional.interpolate(mode='bilinear', align_corners=False)` along one axis.

    Args:
        source: Length of the axis.
        target: Length it is resized to.

    Returns:
        Low and high index, int32 (target,), and the share of the high one, float32 (target,):
        resized = x[low] + share * (x[high] - x[low]).
    """
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    centres = np.clip(centres, 0, source - 1)
    low = centres.astype(np.int32)
    high = np.minimum(low + 1, source - 1)
    return low, high, (centres - low).astype(np.float32)


def taps_matrix(low: np.ndarray, high: np.ndarray, share: np.ndarray, source: int) -> np.ndarray:
    """The matrix, float32 (target, source), that resizes an axis by its taps."""
    matrix = np.zeros((len(low), source), np.float32)
    rows = np.arange(len(low))
    matrix[rows, low] += 1 - share
    matrix[rows, high] += share
    return matrix
