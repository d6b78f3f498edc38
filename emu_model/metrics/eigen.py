"""Depth errors as papers on KITTI report them."""

import torch
from torch import Tensor

from emu_model.metrics.depth import DepthComparison
from emu_model.metrics.depth_errors import log_ratio
from emu_model.metrics.group import MetricGroup
from emu_model.metrics.streaming import ImageMeans, PixelCount

_KEYS = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'delta1', 'delta2', 'delta3')
_RATIO = 1.25


class EigenErrors(ImageMeans):
    """The errors of Eigen et al. (2014) of each image, averaged over images.

    Unlike the figures of DepthMetrics, which are pooled over pixels, every image counts alike,
    however many of its pixels are measured; and predictions are clamped to the range that is
    evaluated, as in the evaluation code that these papers share.

    Args:
        depth_range_m: (nearest, farthest) depth that is evaluated, in metres.
    """

    def __init__(self, depth_range_m: tuple[float, float]) -> None:
        super().__init__(len(_KEYS))
        self._range = depth_range_m

    def update(self, depth: Tensor, target: Tensor, counted: Tensor) -> None:
        """Add the images of a batch; an image without a counted pixel adds nothing.

        Args:
            depth: Predicted depth in metres, float (B, H, W).
            target: Measured depth in metres, float (B, H, W), positive where counted.
            counted: The pixels to count, bool (B, H, W).
        """
        for predicted, measured, pixels in zip(depth, target, counted):
            if pixels.any():
                self._add(predicted[pixels].double().clamp(*self._range), measured[pixels])

    def _add(self, predicted: Tensor, measured: Tensor) -> None:
        measured = measured.double()
        error = predicted - measured
        ratio = (predicted / measured).maximum(measured / predicted)
        figures = [
            (error.abs() / measured).mean(),
            (error.square() / measured).mean(),
            error.square().mean().sqrt(),
            log_ratio(predicted, measured).square().mean().sqrt(),
            *((ratio < _RATIO**power).double().mean() for power in (1, 2, 3)),
        ]
        self.add_image(torch.stack(figures))

    def compute(self) -> dict[str, Tensor]:
        """`abs_rel`, `sq_rel` (m), `rmse` (m), `rmse_log`, `delta1` to `delta3`."""
        return dict(zip(_KEYS, self.means()))


class EigenMetrics(MetricGroup):
    """EigenErrors of the measured pixels, with `pixels` and `nonfinite_pixels`.

    Pixels whose prediction is not finite are left out of every figure and counted in
    `nonfinite_pixels`, as in DepthMetrics.

    Args:
        depth_range_m: As for EigenErrors.
    """

    def __init__(self, depth_range_m: tuple[float, float]) -> None:
        super().__init__()
        self.errors = EigenErrors(depth_range_m)
        self.count = PixelCount()

    def update(self, depth: Tensor, target: Tensor) -> None:
        """Add the images of a batch; the arguments are those of DepthComparison."""
        comparison = DepthComparison(depth, target)
        self.errors.update(depth, target, comparison.compared)
        self.count.update(comparison.compared, comparison.known & ~comparison.finite)
