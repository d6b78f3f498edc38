"""The error that remains when the most uncertain pixels of an image are set aside."""

import torch
from torch import Tensor


def retained_error(error: Tensor, uncertainty: Tensor, kept: Tensor) -> Tensor:
    """Mean error over the `kept` least uncertain pixels, for each number of kept pixels.

    Pixels of equal uncertainty come in no order, so the result is the expectation over all their
    orders: within such a tie the summed error grows linearly. Saturated softmaxes and flat maps
    have large ties, where any other choice would measure the sorting algorithm.

    Args:
        error: Error of each pixel, float64 (N,).
        uncertainty: Uncertainty of each pixel, without NaN, float (N,).
        kept: How many pixels to keep, float64 (M,), each above 0 and at most N; fractions of a
            pixel count in proportion.

    Returns:
        Mean errors, float64 (M,).
    """
    ranked, order = uncertainty.sort()
    _, tied = torch.unique_consecutive(ranked, return_counts=True)
    last = tied.cumsum(0)
    summed = error[order].cumsum(0)[last - 1]
    zero = summed.new_zeros(1)
    pixels_at = torch.cat([zero, last.double()])
    error_at = torch.cat([zero, summed])
    tie = torch.searchsorted(last.double(), kept).clamp_max(len(tied) - 1)
    share = (kept - pixels_at[tie]) / tied[tie]
    return torch.lerp(error_at[tie], error_at[tie + 1], share) / kept
