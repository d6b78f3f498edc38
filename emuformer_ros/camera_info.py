"""CameraInfo of an image after cropping, binning and resizing.

It can be a message of rclpy or of rosbags: no ROS installation is needed.
"""

import copy
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo


class CameraInfoError(ValueError):
    """A CameraInfo that does not describe the image; the message says why."""


def rescale(
    info: 'CameraInfo', image_size: tuple[int, int], size: tuple[int, int]
) -> 'CameraInfo':
    """The CameraInfo of a camera's image after it is resized.

    Pixel centres lie at whole numbers, so that c' = (c + ½)·s − ½. Region of interest and
    binning, which the camera's K and P leave out, are folded into the result and zeroed there.

    Args:
        info: The camera's, as it was published with the image.
        image_size: (height, width) of the image.
        size: (height, width) that it is resized to.

    Returns:
        A new message with the header and distortion of `info`.

    Raises:
        CameraInfoError: If `info` is uncalibrated or of an image of another size.
    """
    _check(info, image_size)
    roi = info.roi
    scale_y, scale_x = (
        new / (old * max(binning, 1))
        for new, old, binning in zip(size, image_size, (info.binning_y, info.binning_x))
    )
    to_size = np.array(
        [
            [scale_x, 0, (0.5 - roi.x_offset) * scale_x - 0.5],
            [0, scale_y, (0.5 - roi.y_offset) * scale_y - 0.5],
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
    return math.sqrt(info.k[0] * info.k[4])


def _check(info: 'CameraInfo', image_size: tuple[int, int]) -> None:
    if not (info.k[0] > 0 and info.k[4] > 0):
        raise CameraInfoError(
            f'it is of an uncalibrated camera (fx {info.k[0]}, fy {info.k[4]}): calibrate it'
        )
    if (described := _image_size(info)) != image_size:
        raise CameraInfoError(
            f'it describes an image of {described[1]}x{described[0]} and the image is '
            f'{image_size[1]}x{image_size[0]}: publish the CameraInfo of that image'
        )


def _image_size(info: 'CameraInfo') -> tuple[int, int]:
    """(height, width) of the image that a CameraInfo is published with."""
    height = info.roi.height or info.height
    width = info.roi.width or info.width
    return height // max(info.binning_y, 1), width // max(info.binning_x, 1)
