"""All figures of the depth task."""

from torch import Tensor

from emu_model.losses import VARIANCE_FLOOR
from emu_model.metrics.certainty import AccuracyVersusUncertainty
from emu_model.metrics.comparison import ComparingGroup, Comparison
from emu_model.metrics.depth_errors import DepthErrors, ScaleInvariantError
from emu_model.metrics.ranking import Ranking
from emu_model.metrics.sparsification import Sparsification
from emu_model.metrics.streaming import PixelMeans, PixelShares
from emu_model.shapes import check_mask, check_same_shape

ACCURATE_RATIO = 1.25
"""Depth is accurate when it is off by less than this factor (δ1; Eigen et al. 2014)."""


class DepthMetrics(ComparingGroup):
    """How good the depth is and how well its uncertainty knows it.

    From the depth: `rmse` and `sq_rel` (m), `rmse_log`, `abs_rel`, `imae` (1/km), `silog`,
    `delta1` to `delta3`.
    With the variance: `nll`, `coverage_1sigma`, `coverage_2sigma`, `p_accurate_certain`,
    `p_uncertain_inaccurate`, `pavpu`, and `ause`, `aurg` of the RMSE (m), of AbsRel
    (`ause_abs_rel`, `aurg_abs_rel`) and of 1 − δ1 (`ause_delta1`, `aurg_delta1`), with the curves
    `sparsification`, `sparsification_abs_rel` and `sparsification_delta1`. Always: `pixels` and
    `nonfinite_pixels`. Figures whose input is never given are None.

    A pixel is accurate when max(μ/y, y/μ) < 1.25; δ2 and δ3 take the square and cube. The coverage
    of k sigma is the share of pixels with |y − μ| ≤ k·s (0.683 and 0.954 for a true Gaussian). NLL
    is ½((y − μ)²/s² + log s²), the training loss.

    The figures cover measured pixels. With `all_pixels`, the others count as inaccurate in δ1 to
    δ3, in the three accuracy against uncertainty figures and in AUSE and AURG of δ1; what needs a
    measurement is the same in both. Pixels whose prediction is not finite are left out of every
    figure and counted in `nonfinite_pixels`.

    Args:
        all_pixels: Whether pixels without a measurement are counted, as inaccurate.
    """

    def __init__(self, *, all_pixels: bool = False) -> None:
        super().__init__(all_pixels=all_pixels)
        self.errors = DepthErrors()
        self.scale_invariant = ScaleInvariantError()
        self.accuracy = PixelShares('delta1', 'delta2', 'delta3')
        self.certainty = AccuracyVersusUncertainty()
        self.likelihood = PixelMeans('nll')
        self.coverage = PixelShares('coverage_1sigma', 'coverage_2sigma')
        self.sparsification_rmse = Sparsification(root=True)
        self.sparsification_abs_rel = Sparsification('_abs_rel')
        self.sparsification_delta1 = Sparsification('_delta1')

    def update(
        self,
        depth: Tensor,
        target: Tensor,
        *,
        variance: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> None:
        """Add a batch of images; the arguments are those of DepthComparison."""
        self.add(DepthComparison(depth, target, variance=variance, valid=valid))

    def count_compared(self, comparison: 'DepthComparison') -> None:
        """Feed the metrics that need a measurement."""
        depth, target, measured = comparison.depth, comparison.target, comparison.compared
        self.errors.update(depth, target, measured)
        self.scale_invariant.update(depth, target, measured)
        if comparison.variance is None:
            return
        variance = comparison.variance
        square = (target.double() - depth.double()).square()
        floored = variance.double().clamp_min(VARIANCE_FLOOR)
        self.likelihood.update([0.5 * (square / floored + floored.log())], measured)
        self.coverage.update([square <= variance, square <= 4 * variance], measured)
        rankings = comparison.rankings_of_compared
        self.sparsification_rmse.add_ranked(square, rankings)
        self.sparsification_abs_rel.add_ranked(square.sqrt() / target, rankings)

    def count_accuracy(
        self, comparison: 'DepthComparison', counted: Tensor, rankings: list[Ranking]
    ) -> None:
        """Feed the metrics in which a pixel without a measurement can count, as inaccurate."""
        within = [
            comparison.compared & _within(ACCURATE_RATIO**n, comparison.depth, comparison.target)
            for n in (1, 2, 3)
        ]
        self.accuracy.update(within, counted)
        if comparison.variance is not None:
            self.certainty.update(within[0], comparison.variance, counted)
            self.sparsification_delta1.add_ranked(~within[0], rankings)


class DepthComparison(Comparison):
    """Depth maps held against measurements, which are ranked by their variance.

    Args:
        depth: Predicted depth in metres, float (B, H, W).
        target: Measured depth in metres, float (B, H, W). Zero, negative or not finite is no
            measurement.
        variance: Predictive variance in m², float (B, H, W).
        valid: Where to use the measurement, bool (B, H, W); everywhere by default.

    Raises:
        ValueError: If shapes differ, a variance is negative, or `valid` is not bool.
    """

    def __init__(
        self,
        depth: Tensor,
        target: Tensor,
        *,
        variance: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> None:
        check_same_shape(depth=depth, target=target, variance=variance, valid=valid)
        self.depth, self.target, self.variance = depth, target, variance
        known = target.isfinite() & (target > 0)
        if valid is not None:
            check_mask(valid=valid)
            known &= valid
        finite = depth.isfinite()
        if variance is not None:
            _check_variance(variance)
            finite &= variance.isfinite()
        super().__init__(known, finite, variance)

    def empty_group(self) -> DepthMetrics:
        """Metrics of depth."""
        return DepthMetrics().to(self.depth.device)


def _within(ratio: float, depth: Tensor, target: Tensor) -> Tensor:
    """max(μ/y, y/μ) < ratio, by products: a depth of zero or less is never within."""
    depth, target = depth.double(), target.double()
    return (depth < ratio * target) & (target < ratio * depth)


def _check_variance(variance: Tensor) -> None:
    negative = variance[variance < 0]
    if negative.numel():
        raise ValueError(
            f'variance is as low as {float(negative.min()):.4g}, expected 0 or more: pass the '
            'variance in m², not its logarithm or the raw output'
        )
