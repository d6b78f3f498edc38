"""Whether a network is right where it is sure, and unsure where it is wrong."""

import torch
from torch import Tensor

from emu_model.metrics.streaming import StreamingMetric


class AccuracyVersusUncertainty(StreamingMetric):
    """p(accurate|certain), p(uncertain|inaccurate) and PAvPU (Mukhoti and Gal 2018).

    Patches are single pixels, as in EMUFormer. A pixel is certain when its uncertainty is at or
    below the mean over the counted pixels of its own image. With the numbers of pixels n_ac
    (accurate, certain), n_au, n_ic, n_iu, pooled over all images:

        p(accurate|certain) = n_ac / (n_ac + n_ic)
        p(uncertain|inaccurate) = n_iu / (n_ic + n_iu)
        PAvPU = (n_ac + n_iu) / (n_ac + n_au + n_ic + n_iu)
    """

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_counts('counts', 4)

    def update(self, accurate: Tensor, uncertainty: Tensor, counted: Tensor) -> None:
        """Add the images of a batch.

        Args:
            accurate: Where the prediction is right, bool (B, H, W).
            uncertainty: Any measure that grows with doubt, float (B, H, W).
            counted: The pixels to count, bool (B, H, W).
        """
        # Summed in float64, the mean of equal fp32 values is that value: a flat map is certain.
        values = uncertainty.float().double()
        total = torch.where(counted, values, 0).sum(dim=(1, 2), keepdim=True)
        certain = values <= total / counted.sum(dim=(1, 2), keepdim=True)
        self.counts += torch.stack(
            [
                (counted & accurate & certain).sum(),
                (counted & accurate & ~certain).sum(),
                (counted & ~accurate & certain).sum(),
                (counted & ~accurate & ~certain).sum(),
            ]
        )

    def compute(self) -> dict[str, Tensor]:
        """`p_accurate_certain`, `p_uncertain_inaccurate` and `pavpu`, each 0 to 1."""
        n_ac, n_au, n_ic, n_iu = self.counts.double()
        return {
            'p_accurate_certain': n_ac / (n_ac + n_ic),
            'p_uncertain_inaccurate': n_iu / (n_ic + n_iu),
            'pavpu': (n_ac + n_iu) / (n_ac + n_au + n_ic + n_iu),
        }
