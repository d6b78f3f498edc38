"""CameraInfo of an image after cropping, binning and resizing.

It can be a message of rclpy or of rosbags: no ROS installation is needed.
"""

import copy
import math
from typing import TYPE_CHECKING

import numpy as np

from emu_model.framing import Framing

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo


class CameraInfoError(ValueError):
    """A CameraInfo that does not describe the image; the message says why."""


def rescale(
    info: 'CameraInfo',
    image_size: tuple[int, int],
    size: tuple[int, int],
    framing: Framing | None = None,
) -> 'CameraInfo':
    """The CameraInfo of a camera's image, or of a window of it, after it is resized.

    Pixel centres lie at whole numbers, so that c' = (c + ½)·s − ½. Region of interest and
    binning, which the camera's K and P leave out, are folded into the result and zeroed there.

    Args:
        info: The camera's, as it was published with the image.
        image_size: (height, width) of the image.
        size: (height, width) that it is resized to.
        framing: The window of the image that is resized; all of it by default.

    Returns:
        A new message with the header and distortion of `info`.

    Raises:
        CameraInfoError: If `info` is uncalibrated or of an image of another size.
    """
    _check(info, image_size)
    roi = info.roi
    window = framing or Framing.whole(image_size)
    binning_y, binning_x = max(info.binning_y, 1), max(info.binning_x, 1)
    scale_y = size[0] / (window.size[0] * binning_y)
    scale_x = size[1] / (window.size[1] * binning_x)
    left = roi.x_offset + window.left * binning_x
    top = roi.y_offset + window.top * binning_y
    to_size = np.array(
        [
            [scale_x, 0, (0.5 - left) * scale_x - 0.5],
            [0, scale_y, (0.5 - top) * scale_y - 0.5],
            [0, 0, 1],
        ]
    )
    scaled = copy.copy(info)
    scaled.height, scaled.width = size
    scaled.k = (to_size @ np.reshape(info.k, (3, 3))).ravel()
    scaled.p = (to_size @ np.reshape(info.p, (3, 4))).ravel()
    scaled.binning_x = scaled.binning_y = 0
    scaled.roi = copy.copy(roi)
    scaled.roi.x_offset = scaled.roi.y_offset = scaled.roi.height = scaled.roi.width = 0
    scaled.roi.do_rectify = False
    return scaled


def focal_length_px(info: 'CameraInfo') -> float:
    """The focal length in pixels: the geometric mean of the horizontal and the vertical one."""
    return math.sqrt(info.k[0]) * math.sqrt(info.k[4])


def described_size(info: 'CameraInfo') -> tuple[int, int]:
    """(height, width) of the image that a CameraInfo is published with."""
    height = info.roi.height or info.height
    width = info.roi.width or info.width
    return height // max(info.binning_y, 1), width // max(info.binning_x, 1)


def _check(info: 'CameraInfo', image_size: tuple[int, int]) -> None:
    if not all(map(math.isfinite, (*info.k, *info.d, *info.r, *info.p))):
        raise CameraInfoError('it has numbers that are not finite: calibrate the camera again')
    if not (info.k[0] > 0 and info.k[4] > 0):
        raise CameraInfoError(
            f'it is of an uncalibrated camera (fx {info.k[0]}, fy {info.k[4]}): calibrate it'
        )
    if (described := described_size(info)) != image_size:
        raise CameraInfoError(
            f'it describes an image of {described[1]}x{described[0]} and the image is '
            f'{image_size[1]}x{image_size[0]}: publish the CameraInfo of that image'
        )
