"""Depth in metres for the camera at hand, where the network can know it."""

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emu_model.framing import Framing
from emu_model.prediction import Prediction
from emuformer_ros.geometry.camera_info import CameraInfoError, focal_length_px, rescale

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

_SMALLEST_M = float(np.finfo(np.float32).tiny)
"""The smallest depth that is positive."""

_SMALLEST_SCALE = 1e-3
"""Of focal lengths to each other: beyond a thousandth or a thousand times, one is wrong."""


def depth_scale(
    info: 'CameraInfo',
    image_size: tuple[int, int],
    network_size: tuple[int, int],
    calibrated_px: float | None,
    framing: Framing | None = None,
) -> float:
    """What the network's depth is multiplied by to be metric for the camera.

    Args:
        info: The camera's, as it was published with the image.
        image_size: (height, width) of the image.
        network_size: (height, width) that it is resized to for the network.
        calibrated_px: Focal length at network size that the checkpoint's depth is for, in pixels;
            None where the checkpoint does not know it.
        framing: The window of the image that the network sees; all of it by default.

    Returns:
        The camera's focal length over the checkpoint's, both at network size; 1 without the
        latter.

    Raises:
        CameraInfoError: If `info` is uncalibrated or of an image of another size, or its focal
            length no camera's.
    """
    camera_px = focal_length_px(rescale(info, image_size, network_size, framing))
    scale = camera_px / calibrated_px if calibrated_px else 1.0
    if not _SMALLEST_SCALE < scale < 1 / _SMALLEST_SCALE:
        raise CameraInfoError(
            f'its focal length is {camera_px:.3g} px at {network_size[1]}x{network_size[0]} '
            'pixels: calibrate the camera again'
        )
    return scale


def calibrate_depth(
    prediction: Prediction, depth_range_m: tuple[float, float] | None, scale: float
) -> Prediction:
    """Depth and its standard deviation, rescaled to the camera's focal length.

    How large a thing appears is proportional to focal length over depth, so that a network sees
    the same picture of a thing twice as far through twice the focal length.

    Args:
        prediction: Of one frame, as the network gives it, calibrated for the checkpoint's focal
            length.
        depth_range_m: (nearest, farthest) depth the network was trained on.
        scale: The camera's focal length over the checkpoint's, both at network size.

    Returns:
        The prediction with depth and depth_std times `scale`; depth is NaN where the network's
        was not positive or outside the range.
    """
    changed = {}
    if prediction.depth is not None:
        nearest, farthest = depth_range_m or (0, np.inf)
        # A third of the time that NumPy takes, and every frame waits for it.
        known = cv2.inRange(prediction.depth, max(nearest, _SMALLEST_M), farthest)
        changed['depth'] = np.full_like(prediction.depth, np.nan)
        cv2.copyTo(prediction.depth * np.float32(scale), known, changed['depth'])
    if prediction.depth_std is not None:
        changed['depth_std'] = prediction.depth_std * np.float32(scale)
    return dataclasses.replace(prediction, **changed)
