"""Images of a distorted camera as a pinhole camera would have taken them.

A CameraInfo can be a message of rclpy or of rosbags: no ROS installation is needed.
"""

import array
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emuformer_ros.geometry.camera_info import CameraInfoError, rescale

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

_COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
"""How many distortion coefficients each model of sensor_msgs/distortion_models.hpp may have."""


@dataclass(frozen=True)
class Rectification:
    """How one camera's images are rectified.

    Attributes:
        camera_info: Of the rectified image, of the size of the camera's: no distortion, no
            rotation, K that of P.
        unknown: Where the rectified image shows what the camera did not see, bool (H, W); None
            where that is nowhere.
        tables: Where each pixel comes from, as cv2.remap takes it.
    """

    camera_info: 'CameraInfo'
    unknown: np.ndarray | None
    tables: tuple[np.ndarray, np.ndarray]

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The rectified image, uint8 (H, W, 3)."""
        return cv2.remap(image, *self.tables, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class Rectifier:
    """Rectifies the images of one camera; the tables last until its calibration changes."""

    def __init__(self) -> None:
        self._calibration: tuple = ()
        self._rectification: Rectification | None = None

    def rectification(self, info: 'CameraInfo', image_size: tuple[int, int]) -> Rectification:
        """How an image is rectified.

        Args:
            info: The camera's, as it was published with the image.
            image_size: (height, width) of the image.

        Raises:
            CameraInfoError: If `info` is uncalibrated, of an image of another size, or of a
                distortion model that is not known.
        """
        calibration = _calibration(info, image_size)
        if self._rectification is None or calibration != self._calibration:
            self._rectification = make_rectification(info, image_size)
            self._calibration = calibration
        return self._rectification


def make_rectification(info: 'CameraInfo', image_size: tuple[int, int]) -> Rectification:
    """As Rectifier.rectification; this makes the tables, which takes a while."""
    raw = rescale(info, image_size, image_size)  # folds region of interest and binning in
    _check(raw)
    pinhole = rectified_info(raw)
    columns, rows = _sources(raw)
    height, width = image_size
    unknown = (columns < -0.5) | (columns > width - 0.5) | (rows < -0.5) | (rows > height - 0.5)
    return Rectification(
        pinhole,
        unknown if unknown.any() else None,
        cv2.convertMaps(columns, rows, cv2.CV_16SC2),
    )


def _sources(info: 'CameraInfo') -> tuple[np.ndarray, np.ndarray]:
    """Column and row in the camera's image of each pixel of the rectified one, float32 (H, W)."""
    is_fisheye = info.distortion_model == 'equidistant'
    make = cv2.fisheye.initUndistortRectifyMap if is_fisheye else cv2.initUndistortRectifyMap
    return make(
        np.reshape(info.k, (3, 3)),
        np.array(info.d) if _is_distorted(info) else None,
        np.reshape(info.r, (3, 3)),
        np.reshape(info.p, (3, 4))[:, :3],
        (info.width, info.height),
        cv2.CV_32FC1,
    )


def rectified_info(info: 'CameraInfo') -> 'CameraInfo':
    """The CameraInfo of a camera's rectified image: no distortion, no rotation, K that of P.

    Args:
        info: The camera's; region of interest and binning stay as they are.

    Raises:
        CameraInfoError: If its P has no focal length.
    """
    if not (info.p[0] > 0 and info.p[5] > 0):
        raise CameraInfoError('its P has no focal length: calibrate the camera again')
    rectified = copy.copy(info)
    rectified.distortion_model = 'plumb_bob'
    straight = np.zeros(5)
    # rosbags serialises arrays of NumPy only, rclpy none of them where the length is free.
    rectified.d = straight if isinstance(info.d, np.ndarray) else array.array('d', straight)
    rectified.r = np.eye(3).ravel()
    rectified.k = np.reshape(info.p, (3, 4))[:, :3].ravel()
    return rectified


def _is_distorted(info: 'CameraInfo') -> bool:
    """Whether it is; a lens that is equidistant without coefficients is no pinhole either."""
    return bool(np.any(info.d)) or info.distortion_model == 'equidistant'


def _check(info: 'CameraInfo') -> None:
    if _is_distorted(info):
        _check_distortion(info)
    if not np.isclose(np.linalg.det(np.reshape(info.r, (3, 3))), 1, atol=1e-3):
        raise CameraInfoError('its R is no rotation: calibrate the camera again')


def _check_distortion(info: 'CameraInfo') -> None:
    allowed = _COEFFICIENTS.get(info.distortion_model)
    if allowed is None:
        raise CameraInfoError(
            f"its distortion model '{info.distortion_model}' is not known: calibrate with one of "
            f'{", ".join(_COEFFICIENTS)}, or publish rectified images'
        )
    if len(info.d) not in allowed:
        raise CameraInfoError(
            f'it has {len(info.d)} distortion coefficients and {info.distortion_model} has '
            f'{" or ".join(map(str, allowed))}: calibrate the camera again'
        )


def _calibration(info: 'CameraInfo', image_size: tuple[int, int]) -> tuple:
    """All that the tables depend on."""
    roi = info.roi
    numbers = (tuple(values) for values in (info.d, info.k, info.r, info.p))
    window = (roi.x_offset, roi.y_offset, roi.height, roi.width, info.binning_x, info.binning_y)
    return (image_size, info.height, info.width, info.distortion_model, *numbers, window)
