"""Errors of a depth map against measured depth (Eigen et al. 2014; Uhrig et al. 2017)."""

from torch import Tensor

from emu_model.metrics.streaming import ImageMeans, PixelMeans

MIN_DEPTH_M = 1e-3
"""Predictions are raised to this before a logarithm, as published evaluation code does, and before
they are inverted."""


class DepthErrors(PixelMeans):
    """RMSE, RMSE of the logarithm, AbsRel, SqRel and iMAE, pooled over the pixels of all images.

    With prediction μ and measurement y: RMSE = sqrt(mean((μ − y)²)), RMSE log = sqrt(mean((log μ −
    log y)²)), AbsRel = mean(|μ − y|/y), SqRel = mean((μ − y)²/y), and the error of the inverse
    depth iMAE = mean(|1/μ − 1/y|) in 1/km.
    """

    def __init__(self) -> None:
        super().__init__('rmse', 'rmse_log', 'abs_rel', 'sq_rel', 'imae')

    def update(self, depth: Tensor, target: Tensor, counted: Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            depth: Predicted depth in metres, float (B, H, W).
            target: Measured depth in metres, float (B, H, W), positive where counted.
            counted: The pixels to count, bool (B, H, W).
        """
        predicted, measured = depth[counted].double(), target[counted].double()
        square = (predicted - measured).square()
        log_square = log_ratio(predicted, measured).square()
        relative = (predicted - measured).abs() / measured
        inverse = 1 / predicted.clamp_min(MIN_DEPTH_M) - 1 / measured
        self.add_pixels([square, log_square, relative, square / measured, 1000 * inverse.abs()])

    def compute(self) -> dict[str, Tensor]:
        """`rmse` (m), `rmse_log`, `abs_rel`, `sq_rel` (m), `imae` (1/km)."""
        means = super().compute()
        return {**means, 'rmse': means['rmse'].sqrt(), 'rmse_log': means['rmse_log'].sqrt()}


class ScaleInvariantError(ImageMeans):
    """SILog: spread of the logarithmic error within an image (Eigen et al. 2014, section 3.2).

    100 · sqrt(mean(d²) − mean(d)²) with d = log μ − log y, per image and averaged over images, as
    KITTI's benchmark has it.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def update(self, depth: Tensor, target: Tensor, counted: Tensor) -> None:
        """Add the images of a batch; an image without a counted pixel adds nothing.

        Args:
            depth: Predicted depth in metres, float (B, H, W).
            target: Measured depth in metres, float (B, H, W), positive where counted.
            counted: The pixels to count, bool (B, H, W).
        """
        for image_depth, image_target, pixels in zip(depth, target, counted):
            if pixels.any():
                d = log_ratio(image_depth[pixels].double(), image_target[pixels].double())
                self.add_image(100 * d.std(correction=0))

    def compute(self) -> dict[str, Tensor]:
        """`silog`, in 100 log(m)."""
        return {'silog': self.means()[0]}


def log_ratio(depth: Tensor, target: Tensor) -> Tensor:
    """Difference log μ − log y, with predictions below a millimetre raised to it."""
    return depth.clamp_min(MIN_DEPTH_M).log() - target.log()
