"""Calibration: whether a confidence of 0.8 is right in eight cases of ten."""

import torch
from torch import Tensor

from emu_model.metrics.streaming import StreamingMetric


class CalibrationError(StreamingMetric):
    """Expected calibration error of the top probability (Guo et al. 2017, eq. 3).

    ECE = Σ_b n_b/n · |accuracy_b − confidence_b| over equal-width bins (l, u] of the confidence.

    Args:
        bins: Number of bins.
        key: What to call the error.
    """

    pixels: Tensor
    accurate: Tensor
    confidence: Tensor

    def __init__(self, bins: int = 15, key: str = 'ece') -> None:
        super().__init__()
        self.bins = bins
        self.key = key
        self.add_counts('pixels', bins)
        self.add_counts('accurate', bins)
        self.add_sums('confidence', bins)

    def update(self, confidence: Tensor, accurate: Tensor, counted: Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            confidence: Highest class probability, float (B, H, W).
            accurate: Where the predicted class is right, bool (B, H, W).
            counted: The pixels to count, bool (B, H, W).
        """
        values = confidence[counted].double()
        inner_edges = torch.arange(1, self.bins, device=values.device).double() / self.bins
        bin_of = torch.bucketize(values, inner_edges)
        self.pixels += torch.bincount(bin_of, minlength=self.bins)
        self.accurate += torch.bincount(bin_of, accurate[counted], self.bins).long()
        self.confidence.index_add_(0, bin_of, values)

    def compute(self) -> dict[str, Tensor | dict]:
        """The error, 0 to 1, and the reliability diagram as curves.

        The curve `reliability_<bins>` has per bin the mean `confidence` and the `accuracy` (NaN in
        an empty bin) and the number of `pixels`.
        """
        gap = (self.accurate - self.confidence).abs().sum()
        diagram = {
            'confidence': self.confidence / self.pixels,
            'accuracy': self.accurate.double() / self.pixels,
            'pixels': self.pixels,
        }
        return {
            self.key: gap / self.pixels.sum(),
            'curves': {f'reliability_{self.bins}': diagram},
        }
