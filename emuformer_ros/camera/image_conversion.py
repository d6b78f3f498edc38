"""ROS images to RGB arrays, and maps to ROS images.

Images can be messages of rclpy or of rosbags: reading them needs no ROS installation.
"""

import array
import functools
import io
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image as Pillow

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header

MAX_PIXELS = 2**25
"""The largest image taken: an 8K frame (7680x4320) and no more. What claims to be larger is
refused before memory is spent on it."""

MAX_SIDE = 2**15
"""Its longest side: engines compute maps by whole rows, and one must not fill memory."""

_BYTES_PER_PIXEL = {
    'rgb8': 3, 'bgr8': 3, 'mono8': 1, 'rgba8': 4, 'bgra8': 4,
    'rgb16': 6, 'bgr16': 6, 'mono16': 2, 'rgba16': 8, 'bgra16': 8,
    'yuv422': 2, 'uyvy': 2, 'yuv422_yuy2': 2, 'yuyv': 2,
    'bayer_rggb8': 1, 'bayer_bggr8': 1, 'bayer_gbrg8': 1, 'bayer_grbg8': 1,
    'bayer_rggb16': 2, 'bayer_bggr16': 2, 'bayer_gbrg16': 2, 'bayer_grbg16': 2,
}  # fmt: skip
"""The encodings of colour and grey cameras, of those in sensor_msgs/image_encodings.hpp."""


class ImageError(ValueError):
    """An image that cannot be used; the message says why."""


def to_rgb(message: 'Image | CompressedImage') -> np.ndarray:
    """The pixels of an image message as RGB.

    rgb8, bgr8 and mono8 are read in place; other encodings go through cv_bridge where it can be
    imported, and rosbags-image otherwise.

    Args:
        message: A camera image; JPEG or PNG if compressed.

    Returns:
        uint8 (H, W, 3); it may share the message's memory and have padded rows.

    Raises:
        ImageError: If the image is empty, too large, incomplete, big-endian with more than one
            byte per value, of an encoding that no camera image has, or a compressed Bayer mosaic.
    """
    if hasattr(message, 'format'):
        return _decompress(message)
    _check(message)
    if message.encoding in _IN_PLACE:
        return _IN_PLACE[message.encoding](_rows(message))
    try:
        return _library_converter()(message)
    except Exception as error:  # cv2.error, CvBridgeError and ImageConversionError share no base
        raise ImageError(
            f'{message.width}x{message.height} {message.encoding} cannot be converted to RGB: '
            f'{error}'
        ) from error


def to_message(pixels: np.ndarray, encoding: str, header: 'Header') -> 'Image':
    """An image message of a map.

    Args:
        pixels: (H, W) or (H, W, C), of the dtype that the encoding stands for.
        encoding: 'mono8', 'rgb8' or '32FC1'.
        header: Stamp and frame_id, of the image that the map was made of.
    """
    from sensor_msgs.msg import Image

    pixels = np.ascontiguousarray(pixels)
    # An array of bytes is what the field holds; anything else is copied element by element.
    data = array.array('B')
    data.frombytes(memoryview(pixels).cast('B'))
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=sys.byteorder == 'big',
        step=pixels.strides[0],
        data=data,
    )


def _check(message: 'Image') -> None:
    _check_size(message.width, message.height)
    bytes_per_pixel = _BYTES_PER_PIXEL.get(message.encoding)
    if bytes_per_pixel is None:
        raise ImageError(
            f"encoding '{message.encoding}' is not a camera image's: publish one of "
            f'{", ".join(_BYTES_PER_PIXEL)}'
        )
    if message.step < message.width * bytes_per_pixel:
        raise ImageError(
            f'step is {message.step} bytes, {message.width} pixels of {message.encoding} take '
            f'{message.width * bytes_per_pixel}: fix the driver'
        )
    if len(message.data) < message.step * message.height:
        raise ImageError(
            f'data has {len(message.data)} bytes, {message.height} rows of {message.step} bytes '
            f'take {message.step * message.height}: fix the driver'
        )
    wide = message.encoding.endswith('16')
    if wide and bool(message.is_bigendian) != (sys.byteorder == 'big'):
        raise ImageError(
            f"{message.encoding} in the other byte order than this machine's "
            f'({sys.byteorder}-endian): publish in its order, or 8 bits per channel'
        )


def _check_size(width: int, height: int) -> None:
    if width <= 0 or height <= 0:
        raise ImageError(f'the image is empty ({width}x{height}): fix the driver')
    if width * height > MAX_PIXELS:
        raise ImageError(
            f'the image is {width}x{height}, more than {MAX_PIXELS} pixels: publish a smaller one'
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f'the image is {width}x{height}, a side of more than {MAX_SIDE} pixels: publish a '
            'smaller one'
        )


def _rows(message: 'Image') -> np.ndarray:
    """The pixels in place, uint8 (H, W, bytes per pixel), without the padding of the rows."""
    depth = _BYTES_PER_PIXEL[message.encoding]
    flat = np.frombuffer(message.data, np.uint8, message.step * message.height)
    used = flat.reshape(message.height, message.step)[:, : message.width * depth]
    return used.reshape(message.height, message.width, depth)


_IN_PLACE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'rgb8': lambda rows: rows,
    'bgr8': lambda rows: cv2.cvtColor(rows, cv2.COLOR_BGR2RGB),
    'mono8': lambda rows: cv2.cvtColor(rows, cv2.COLOR_GRAY2RGB),
}


@functools.cache
def _library_converter() -> Callable[['Image'], np.ndarray]:
    """cv_bridge, or rosbags-image where it is missing or does not fit the installed NumPy."""
    try:
        from cv_bridge import CvBridge
        from std_msgs.msg import Header

        convert = functools.partial(CvBridge().imgmsg_to_cv2, desired_encoding='rgb8')
        convert(to_message(np.zeros((2, 2, 4), np.uint8), 'rgba8', Header()))
        return convert
    except Exception:  # built for NumPy 1, it fails under NumPy 2 in more than one way
        return _convert_with_rosbags


def _convert_with_rosbags(message: 'Image') -> np.ndarray:
    from rosbags.image import image_to_cvimage

    packed = SimpleNamespace(
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=bool(message.is_bigendian),
        data=np.ascontiguousarray(_rows(message)),
    )
    return image_to_cvimage(packed, 'rgb8')


def _decompress(message: 'CompressedImage') -> np.ndarray:
    try:
        with Pillow.open(io.BytesIO(message.data), formats=('JPEG', 'PNG')) as file:
            # The header alone has been read: a small file can claim an image that fills memory.
            _check_size(*file.size)
            if file.mode.startswith(('I', 'F')):
                raise ImageError('it has more than 8 bits per channel: publish 8 bits')
            if file.mode == 'L' and message.format.startswith('bayer_'):
                raise ImageError(
                    f"it is a Bayer mosaic (format '{message.format}') that is not colour yet: "
                    'publish the compressed images of the debayered topic'
                )
            return np.asarray(file.convert('RGB'))
    except ImageError:
        raise
    except Exception as error:  # what a parser stumbles over can be of any kind
        raise ImageError(
            f"{len(message.data)} bytes of format '{message.format}' cannot be decoded as JPEG or "
            f'PNG ({error}): publish whole images of these formats'
        ) from error
