"""Proper scores of the whole softmax, not only of its highest value."""

import torch
from torch import Tensor

from emu_model.metrics.streaming import PixelMeans


class ProbabilityScores(PixelMeans):
    """Brier score and negative log-likelihood of class probabilities (Gneiting and Raftery 2007).

    Brier = mean(Σ_k (p_k − [k = y])²), 0 to 2 (Brier 1950). NLL = mean(−log p_y) in nats, with p_y
    raised to the resolution of fp32, 1.2e-7, below which a softmax says nothing.
    """

    def __init__(self) -> None:
        super().__init__('brier', 'nll')

    def update(self, probabilities: Tensor, target: Tensor, counted: Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            probabilities: Softmax, float (B, K, H, W).
            target: Class ids, any integer type (B, H, W), below K where counted.
            counted: The pixels to count, bool (B, H, W).
        """
        label = torch.where(counted, target.long(), 0)
        of_label = probabilities.gather(1, label[:, None])[:, 0].double()
        square = torch.zeros_like(of_label)
        for of_class in probabilities.unbind(dim=1):  # no second map of K channels
            square += of_class.double().square()
        brier = square - 2 * of_label + 1
        nll = -of_label.clamp_min(torch.finfo(torch.float32).eps).log()
        super().update([brier, nll], counted)
