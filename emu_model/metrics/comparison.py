"""Predicted maps held against the truth, for one group of metrics or several."""

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from emu_model.metrics.group import MetricGroup, Sums
from emu_model.metrics.ranking import Ranking, rank_images, rankings_of
from emu_model.metrics.streaming import PixelCount


class ComparingGroup(MetricGroup):
    """Base of the metrics of a task that compare its maps with the truth.

    Args:
        all_pixels: Whether pixels without a truth are counted, as inaccurate.
    """

    def __init__(self, *, all_pixels: bool) -> None:
        super().__init__()
        self.all_pixels = all_pixels
        self.count = PixelCount()

    def add(self, comparison: 'Comparison') -> None:
        """Add a batch of images that other groups may have counted as well."""
        self.add_sums(comparison.sums_of_compared)
        self.add_sums(comparison.sums_of_every if self.all_pixels else comparison.sums_of_known)

    def count_compared(self, comparison: 'Comparison') -> None:
        """Feed the metrics that need a truth."""
        raise NotImplementedError

    def count_accuracy(
        self, comparison: 'Comparison', counted: Tensor, rankings: list[Ranking]
    ) -> None:
        """Feed the metrics in which a pixel without a truth can count, as inaccurate.

        Args:
            comparison: The maps.
            counted: The pixels that count, bool (B, H, W), all of them finite.
            rankings: These pixels of each image by their uncertainty.
        """
        raise NotImplementedError


class Comparison(ABC):
    """Maps of a batch and the truth about them.

    What several groups have in common is counted once, and the uncertainty is sorted once.

    Args:
        known: Where there is a truth, bool (B, H, W).
        finite: Where the prediction is finite, bool (B, H, W).
        uncertainty: What pixels are ranked by, float (B, H, W); None where it is not predicted.

    Attributes:
        compared: Where there are both, bool (B, H, W).
    """

    def __init__(self, known: Tensor, finite: Tensor, uncertainty: Tensor | None) -> None:
        self.known, self.finite, self.uncertainty = known, finite, uncertainty
        self.compared = known & finite

    @abstractmethod
    def empty_group(self) -> ComparingGroup:
        """A group that has counted nothing, on the device of the maps."""

    @cached_property
    def rankings_of_every(self) -> list[Ranking]:
        """The finite pixels of each image from the lowest to the highest uncertainty.

        Nothing where it is not predicted.
        """
        if self.uncertainty is None:
            return []
        return rankings_of(rank_images(self.uncertainty), self.finite)

    @cached_property
    def rankings_of_compared(self) -> list[Ranking]:
        """Those of them with a truth."""
        return rankings_of(self.rankings_of_every, self.compared)

    @cached_property
    def sums_of_compared(self) -> Sums:
        """What a group counts that needs a truth."""
        group = self.empty_group()
        group.count_compared(self)
        return group.sums()

    @cached_property
    def sums_of_known(self) -> Sums:
        """What else a group counts that leaves pixels without a truth out."""
        return self._accuracy(self.known, self.rankings_of_compared)

    @cached_property
    def sums_of_every(self) -> Sums:
        """What else a group counts that counts pixels without a truth as inaccurate."""
        if self.known.all():
            return self.sums_of_known
        return self._accuracy(torch.ones_like(self.known), self.rankings_of_every)

    def _accuracy(self, wanted: Tensor, rankings: list[Ranking]) -> Sums:
        group = self.empty_group()
        group.count.update(wanted & self.finite, wanted & ~self.finite)
        group.count_accuracy(self, wanted & self.finite, rankings)
        return group.sums()
