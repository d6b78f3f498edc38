"""All figures of the depth task."""

import torch
from torch import Tensor

from emu_model.losses import VARIANCE_FLOOR
from emu_model.metrics.certainty import AccuracyVersusUncertainty
from emu_model.metrics.depth_errors import DepthErrors, ScaleInvariantError
from emu_model.metrics.group import MetricGroup
from emu_model.metrics.sparsification import Sparsification
from emu_model.metrics.streaming import PixelCount, PixelMeans, PixelShares
from emu_model.shapes import check_mask, check_same_shape

ACCURATE_RATIO = 1.25
"""Depth is accurate when it is off by less than this factor (δ1; Eigen et al. 2014)."""


class DepthMetrics(MetricGroup):
    """How good the depth is and how well its uncertainty knows it.

    From the depth: `rmse` and `sq_rel` (m), `rmse_log`, `abs_rel`, `silog`, `delta1` to `delta3`.
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
        super().__init__()
        self.all_pixels = all_pixels
        self.count = PixelCount()
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
        """Add a batch of images.

        Args:
            depth: Predicted depth in metres, float (B, H, W).
            target: Measured depth in metres, float (B, H, W). Zero, negative or not finite is no
                measurement.
            variance: Predictive variance in m², float (B, H, W).
            valid: Where to use the measurement, bool (B, H, W); everywhere by default.

        Raises:
            ValueError: If shapes differ, a variance is negative, or `valid` is not bool.
        """
        check_same_shape(depth=depth, target=target, variance=variance, valid=valid)
        measured = target.isfinite() & (target > 0)
        if valid is not None:
            check_mask(valid=valid)
            measured &= valid
        finite = depth.isfinite()
        if variance is not None:
            _check_variance(variance)
            finite &= variance.isfinite()
        wanted = torch.ones_like(measured) if self.all_pixels else measured
        counted, measured = wanted & finite, measured & finite

        self.count.update(counted, wanted & ~finite)
        self.errors.update(depth, target, measured)
        self.scale_invariant.update(depth, target, measured)
        within = [measured & _within(ACCURATE_RATIO**n, depth, target) for n in (1, 2, 3)]
        self.accuracy.update(within, counted)
        if variance is not None:
            self._update_uncertainty(depth, target, variance, measured, within[0], counted)

    def _update_uncertainty(
        self,
        depth: Tensor,
        target: Tensor,
        variance: Tensor,
        measured: Tensor,
        accurate: Tensor,
        counted: Tensor,
    ) -> None:
        square = (target.double() - depth.double()).square()
        floored = variance.double().clamp_min(VARIANCE_FLOOR)
        self.likelihood.update([0.5 * (square / floored + floored.log())], measured)
        self.coverage.update([square <= variance, square <= 4 * variance], measured)
        self.certainty.update(accurate, variance, counted)
        self.sparsification_rmse.update(square, variance, measured)
        self.sparsification_abs_rel.update(square.sqrt() / target, variance, measured)
        self.sparsification_delta1.update(~accurate, variance, counted)


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
