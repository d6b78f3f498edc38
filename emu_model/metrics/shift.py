"""Whether uncertainty tells frames unlike the training data from normal ones."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

ALL_SHIFTS = 'all'
"""Key of the score over the frames of all shifts together."""


class ShiftAUROC(Metric):
    """AUROC of telling shifted from normal frames by one number a frame (Hanley and McNeil 1982).

    The probability that a shifted frame scores higher than a normal one, ties counting half.
    Exact, from ranks: the one metric here that grows, by a single number for each frame.

    Args:
        shifts: Names of the shifts, say ('fog', 'night').

    Raises:
        ValueError: If a shift is called 'all'.
    """

    full_state_update = False

    def __init__(self, shifts: Sequence[str]) -> None:
        super().__init__(compute_with_cache=False)
        if ALL_SHIFTS in shifts:
            raise ValueError(f"a shift is called '{ALL_SHIFTS}', the key of the total: rename it")
        self.shifts = tuple(shifts)
        self.add_state('normal', [], dist_reduce_fx='cat')
        for index in range(len(self.shifts)):
            self.add_state(f'shifted_{index}', [], dist_reduce_fx='cat')

    def update(self, scores: Tensor, shift: str | None) -> None:
        """Add frames of one kind; a frame whose score is NaN counts as the most uncertain.

        Args:
            scores: One number a frame, its mean uncertainty say, float (B,).
            shift: Name of the shift; None for normal frames.

        Raises:
            ValueError: If the shift is unknown or the scores are not one-dimensional.
        """
        if shift is not None and shift not in self.shifts:
            raise ValueError(
                f"no shift '{shift}', only {', '.join(self.shifts)}: name it when creating this"
            )
        if scores.ndim != 1:
            raise ValueError(
                f'scores have shape {tuple(scores.shape)}, expected one number per frame (B,): '
                'take the mean of each frame'
            )
        # The default dtype, because an empty rank joins the gathering with it.
        values = torch.nan_to_num(scores.detach().to(self.dtype), nan=torch.inf, posinf=torch.inf)
        state = 'normal' if shift is None else f'shifted_{self.shifts.index(shift)}'
        getattr(self, state).append(values)

    def compute(self) -> dict[str, Tensor]:
        """AUROC by shift and over `all` of them, 0 to 1; NaN where either kind has no frame."""
        normal = self._scores('normal')
        shifted = [self._scores(f'shifted_{index}') for index in range(len(self.shifts))]
        named = dict(zip(self.shifts, shifted))
        named[ALL_SHIFTS] = torch.cat([normal.new_empty(0), *shifted])
        return {name: _auroc(normal, scores) for name, scores in named.items()}

    def _scores(self, state: str) -> Tensor:
        scores = getattr(self, state)
        if isinstance(scores, list) and not scores:
            return torch.empty(0, device=self.device)
        return dim_zero_cat(scores)


def _auroc(normal: Tensor, shifted: Tensor) -> Tensor:
    """Share of pairs whose shifted frame is higher, ties half: the Mann-Whitney statistic."""
    ranked = normal.sort().values
    below = torch.searchsorted(ranked, shifted, right=False).sum()
    at_or_below = torch.searchsorted(ranked, shifted, right=True).sum()
    return (below + at_or_below).double() / (2 * len(normal) * len(shifted))
