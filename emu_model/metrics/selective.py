"""How wrong the classes are when the network may stay silent where it is unsure."""

from collections.abc import Sequence

import torch
from torch import Tensor

from emu_model.metrics.ranking import Ranking, rank_images, rankings_of, retained_error
from emu_model.metrics.streaming import ImageMeans

COVERAGES = 50
"""Points of the risk-coverage curve that are kept; the area uses every pixel."""


class RiskCoverage(ImageMeans):
    """Area under the risk-coverage curve (Geifman et al. 2019).

    The risk at a coverage of k pixels is the share of wrong ones among the k least uncertain, and
    AURC = 1/n Σ_k risk(k). Computed exactly per image and averaged over images.
    """

    def __init__(self) -> None:
        super().__init__(1 + COVERAGES)

    def update(self, accurate: Tensor, uncertainty: Tensor, counted: Tensor) -> None:
        """Add the images of a batch; an image without a counted pixel adds nothing.

        Args:
            accurate: Where the predicted class is right, bool (B, H, W).
            uncertainty: Any measure that grows with doubt, float (B, H, W).
            counted: The pixels to count, bool (B, H, W).
        """
        self.add_ranked(accurate, rankings_of(rank_images(uncertainty), counted))

    def add_ranked(self, accurate: Tensor, rankings: Sequence[Ranking]) -> None:
        """The same with pixels that have been ranked already.

        Args:
            accurate: As for `update`.
            rankings: Of the counted pixels of each image.
        """
        for image_accurate, ranking in zip(accurate.flatten(1), rankings):
            if not len(ranking.order):
                continue
            wrong = ranking.cumulate(~image_accurate)
            every = torch.arange(1, len(wrong) + 1, device=wrong.device)
            area = (wrong / every).mean().reshape(1)
            curve = retained_error(wrong, len(wrong) * _coverages(wrong.device))
            self.add_image(torch.cat([area, curve]))

    def compute(self) -> dict[str, Tensor | dict]:
        """`aurc`, 0 to 1, and the curve `risk_coverage`: `risk` at each `coverage`, (50,)."""
        means = self.means()
        curve = {'coverage': _coverages(means.device), 'risk': means[1:]}
        return {'aurc': means[0], 'curves': {'risk_coverage': curve}}


def _coverages(device: torch.device) -> Tensor:
    return torch.arange(1, COVERAGES + 1, device=device).double() / COVERAGES
