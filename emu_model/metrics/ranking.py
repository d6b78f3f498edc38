"""The error that remains when the most uncertain pixels of an image are set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranking:
    """Pixels of an image from the most certain to the most uncertain one.

    Sorting is what takes time, so that one ranking serves every error and every set of pixels.

    Attributes:
        uncertainty: Of the ranked pixels, ascending, float (M,).
        order: Where each of them is in the image's N pixels, int64 (M,).
    """

    uncertainty: Tensor
    order: Tensor

    @classmethod
    def by(cls, uncertainty: Tensor) -> 'Ranking':
        """Rank all pixels of an image by their uncertainty, float (N,).

        NaN may be where `of` leaves the pixel out.
        """
        return cls(*uncertainty.sort())

    def of(self, pixels: Tensor) -> 'Ranking':
        """The ranking of some of the image's pixels, bool (N,)."""
        if pixels.all():
            return self
        among = pixels[self.order].nonzero()[:, 0]
        return Ranking(self.uncertainty[among], self.order[among])

    @cached_property
    def tied(self) -> Tensor:
        """How many pixels share each uncertainty, in order, int64."""
        return torch.unique_consecutive(self.uncertainty, return_counts=True)[1]

    def cumulate(self, error: Tensor) -> Tensor:
        """Summed error of the k least uncertain pixels for k = 1 … M, float64 (M,).

        Pixels of equal uncertainty come in no order: each counts with the mean error of its tie,
        the expectation over all their orders. Saturated softmaxes and flat maps have large ties,
        where any other choice would measure the sorting algorithm.

        Args:
            error: Error of each of the image's pixels, (N,).
        """
        ranked = error[self.order].double()
        if len(self.tied) < len(ranked):
            last = self.tied.cumsum(0) - 1
            of_tie = ranked.cumsum(0)[last].diff(prepend=ranked.new_zeros(1))
            ranked = (of_tie / self.tied).repeat_interleave(self.tied)
        return ranked.cumsum(0)


def rank_images(uncertainty: Tensor) -> list[Ranking]:
    """The rankings of the pixels of each image of a batch, float (B, H, W)."""
    return [Ranking.by(image.flatten()) for image in uncertainty]


def rankings_of(rankings: Sequence[Ranking], pixels: Tensor) -> list[Ranking]:
    """The rankings of some pixels of each image of a batch, bool (B, H, W)."""
    return [ranking.of(image.flatten()) for ranking, image in zip(rankings, pixels)]


def cumulate_ascending(error: Tensor) -> Tensor:
    """Summed error of the k pixels with the lowest error for k = 1 … N, float64 (N,).

    Args:
        error: Error of each pixel, float or bool (N,).
    """
    if error.dtype == torch.bool:
        ranks = torch.arange(1, len(error) + 1, device=error.device)
        return (ranks - (~error).sum()).clamp_min(0).double()
    if error.device.type == 'cpu':
        # In half the time of torch, which also says where each value was.
        return torch.from_numpy(np.sort(error.double().numpy())).cumsum(0)
    return error.double().sort().values.cumsum(0)


def retained_error(cumulated: Tensor, kept: Tensor) -> Tensor:
    """Mean error over the first pixels of a ranking, for each number of kept pixels.

    Args:
        cumulated: Summed error of the first k pixels for k = 1 … M, float64 (M,).
        kept: How many pixels to keep, float64, each above 0 and at most M; fractions of a pixel
            count in proportion.

    Returns:
        Mean errors, float64, of the shape of `kept`.
    """
    cumulated = torch.cat([cumulated.new_zeros(1), cumulated])
    whole = kept.long().clamp_max(len(cumulated) - 2)
    return torch.lerp(cumulated[whole], cumulated[whole + 1], kept - whole) / kept
