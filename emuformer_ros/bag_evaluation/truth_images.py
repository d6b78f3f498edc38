"""Images of measured depth and labelled classes as arrays, at the size of the maps."""

import sys

import cv2
import numpy as np

from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.compressed_depth import (
    decode_png,
    decompress_depth,
    is_compressed_depth,
)
from emuformer_ros.bags.cameras import COMPRESSED_IMAGE
from emuformer_ros.bags.reading import BagMessage, decode

DEPTH_ENCODINGS = ('16UC1', '32FC1', 'mono16')
LABEL_ENCODINGS = ('mono8', '8UC1')

_DTYPES = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4', 'mono8': 'u1', '8UC1': 'u1'}
_MILLIMETRE = np.float32(1e-3)


def measured_depth(
    message: BagMessage,
    size: tuple[int, int],
    max_depth_m: float,
    *,
    image_size: tuple[int, int],
) -> np.ndarray:
    """Depth in metres, 0 where there is no measurement.

    Args:
        message: An Image of 16UC1 or mono16 (millimetres) or 32FC1 (metres), as REP 118 has it; or
            a CompressedImage with a PNG of 16 bits or of the transport compressedDepth.
        size: (height, width) of the maps; the nearest pixel is taken.
        max_depth_m: Depth beyond it is no measurement.
        image_size: (height, width) of the camera image that it is aligned to.

    Returns:
        float32 (*size,).

    Raises:
        BagError: If the message is damaged.
        EvaluationError: If it is no such image, or of another shape than the camera image.
    """
    values = image_pixels(message, DEPTH_ENCODINGS)
    depth = values.astype(np.float32)
    if values.dtype.kind == 'u':
        depth *= _MILLIMETRE
    known = np.isfinite(depth) & (depth > 0) & (depth <= max_depth_m)
    return _resized(np.where(known, depth, np.float32(0)), size, image_size, message.topic)


def labelled_classes(
    message: BagMessage, size: tuple[int, int], *, image_size: tuple[int, int]
) -> np.ndarray:
    """Class ids, 255 where unlabelled.

    Args:
        message: An Image of mono8 or 8UC1; or a CompressedImage that is a PNG of 8 bits.
        size: (height, width) of the maps; the nearest pixel is taken.
        image_size: (height, width) of the camera image that they are aligned to.

    Returns:
        uint8 (*size,).

    Raises:
        BagError: If the message is damaged.
        EvaluationError: If it is no such image, or of another shape than the camera image.
    """
    return _resized(image_pixels(message, LABEL_ENCODINGS), size, image_size, message.topic)


def image_pixels(message: BagMessage, encodings: tuple[str, ...]) -> np.ndarray:
    """The pixels of an image with one channel, in the machine's byte order (H, W).

    Args:
        message: An Image; or a CompressedImage that is a PNG.
        encodings: Those that are expected, of sensor_msgs.

    Raises:
        BagError: If the message is damaged.
        EvaluationError: If it is no such image.
    """
    image = decode(message)
    if message.msgtype == COMPRESSED_IMAGE:
        return _decompressed(image, message.topic, encodings)
    if image.encoding not in encodings:
        raise EvaluationError(
            f"'{message.topic}' has the encoding '{image.encoding}', expected "
            f'{" or ".join(encodings)}: choose another topic'
        )
    order = '>' if image.is_bigendian else '<'
    dtype = np.dtype(order + _DTYPES[image.encoding])
    needed = image.step * image.height
    if image.step < image.width * dtype.itemsize or len(image.data) < needed or not needed:
        raise EvaluationError(
            f"an image of {image.width}x{image.height} {image.encoding} on '{message.topic}' has "
            f'{len(image.data)} bytes in rows of {image.step}: leave this topic out'
        )
    rows = np.frombuffer(image.data, np.uint8, needed).reshape(image.height, image.step)
    values = np.ascontiguousarray(rows[:, : image.width * dtype.itemsize]).view(dtype)
    native = values.dtype.newbyteorder('=')
    return (
        values if order == ('<' if sys.byteorder == 'little' else '>') else values.astype(native)
    )


def _decompressed(image, topic: str, encodings: tuple[str, ...]) -> np.ndarray:
    if is_compressed_depth(image) and encodings == DEPTH_ENCODINGS:
        return decompress_depth(image, topic)
    values = decode_png(image.data)
    wanted = np.uint16 if '16UC1' in encodings else np.uint8
    if values is None or values.ndim != 2 or values.dtype != wanted:
        raise EvaluationError(
            f"'{topic}' has images of format '{image.format}' that are no PNG of one channel with "
            f'{8 * np.dtype(wanted).itemsize} bits: record the raw images'
        )
    return values


def _resized(
    values: np.ndarray, size: tuple[int, int], image_size: tuple[int, int], topic: str
) -> np.ndarray:
    height, width = values.shape
    image_height, image_width = image_size
    # Half the size of an odd one is rounded: up to a pixel off.
    if abs(height * image_width - width * image_height) > max(*values.shape, *image_size):
        raise EvaluationError(
            f"'{topic}' is {width}x{height} and the camera image is {image_width}x{image_height}: "
            'register it to the camera image first'
        )
    if values.shape == tuple(size):
        return values
    return cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
