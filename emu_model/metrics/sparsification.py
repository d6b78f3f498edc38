"""How fast the depth error falls when the most uncertain pixels are removed first."""

from collections.abc import Sequence

import torch
from torch import Tensor

from emu_model.metrics.ranking import (
    Ranking,
    cumulate_ascending,
    rank_images,
    rankings_of,
    retained_error,
)
from emu_model.metrics.streaming import ImageMeans

INTERVALS = 50
"""Steps of the removed fraction between 0 and 1 (Poggi et al. 2020)."""


class Sparsification(ImageMeans):
    """AUSE and AURG of one error (Ilg et al. 2018; Poggi et al. 2020).

    The sparsification curve is the error of what remains after removing the most uncertain
    fraction of an image, the oracle's the same with the pixels ordered by their own error, and
    random removal keeps the error of the whole. AUSE is the area between curve and oracle, AURG
    between random and curve. Computed exactly per image and averaged over images; as in Poggi et
    al. the error of no pixels is 0.

    Args:
        suffix: Appended to the keys: `ause<suffix>`, `aurg<suffix>`, `sparsification<suffix>`.
        root: Whether the error of a set of pixels is the root of their mean, as for RMSE.
    """

    def __init__(self, suffix: str = '', *, root: bool = False) -> None:
        super().__init__(2 * (INTERVALS + 1))
        self.suffix = suffix
        self.root = root

    def update(self, error: Tensor, uncertainty: Tensor, counted: Tensor) -> None:
        """Add the images of a batch; an image without a counted pixel adds nothing.

        Args:
            error: Error of each pixel, float or bool (B, H, W), squared for a root mean.
            uncertainty: Any measure that grows with doubt, float (B, H, W).
            counted: The pixels to count, bool (B, H, W).
        """
        self.add_ranked(error, rankings_of(rank_images(uncertainty), counted))

    def add_ranked(self, error: Tensor, rankings: Sequence[Ranking]) -> None:
        """The same with pixels that have been ranked already.

        Args:
            error: As for `update`.
            rankings: Of the counted pixels of each image.
        """
        for image_error, ranking in zip(error.flatten(1), rankings):
            if len(ranking.order):
                model = ranking.cumulate(image_error)
                oracle = cumulate_ascending(image_error[ranking.order])
                self.add_image(torch.cat([self._curve(model), self._curve(oracle)]))

    def compute(self) -> dict[str, Tensor | dict]:
        """The areas, in the error's unit, and the curves behind them, averaged over images.

        The curves have the `removed` fraction, 0 to 1, and the error of `model`, `oracle` and
        `random` removal there, float64 (51,) each.
        """
        curve, oracle = self.means().chunk(2)
        random = curve[:1].expand_as(curve)
        spacing = 1 / INTERVALS
        curves = {
            'removed': _removed(curve.device),
            'model': curve,
            'oracle': oracle,
            'random': random,
        }
        return {
            f'ause{self.suffix}': torch.trapezoid(curve - oracle, dx=spacing),
            f'aurg{self.suffix}': torch.trapezoid(random - curve, dx=spacing),
            'curves': {f'sparsification{self.suffix}': curves},
        }

    def _curve(self, cumulated: Tensor) -> Tensor:
        kept = len(cumulated) * (1 - _removed(cumulated.device)[:-1])
        remaining = retained_error(cumulated, kept)
        if self.root:
            remaining = remaining.sqrt()
        return torch.cat([remaining, remaining.new_zeros(1)])


def _removed(device: torch.device) -> Tensor:
    return torch.arange(INTERVALS + 1, device=device).double() / INTERVALS
