"""Depth as image_transport's `compressedDepth` records it.

A CompressedImage whose data is a header of 12 bytes (compression_common.h of
compressed_depth_image_transport: an int32 and the float32 parameters a and b) and a PNG of 16
bits. Of 16UC1 the PNG has the pixels as they are; of 32FC1 it has a quantised inverse depth,
q = a / depth + b, 0 for none.
"""

import struct

import cv2
import numpy as np

from emuformer_ros.bag_evaluation import EvaluationError

SUFFIX = '/compressedDepth'
"""What image_transport appends to an image's topic for this form."""

_HEADER = struct.Struct('<iff')


def is_compressed_depth(image) -> bool:
    """Whether a CompressedImage is of this kind, by its format."""
    return 'compressedDepth' in image.format


def decompress_depth(image, topic: str) -> np.ndarray:
    """The pixels of a CompressedImage of this kind.

    Args:
        image: The message.
        topic: Where it was recorded, for messages to a person.

    Returns:
        uint16 (H, W) of 16UC1; float32 (H, W) of 32FC1, NaN where there is no depth.

    Raises:
        EvaluationError: If it is another kind, or damaged.
    """
    encoding = image.format.partition(';')[0].strip()
    if encoding not in ('16UC1', 'mono16', '32FC1') or image.format.rstrip().endswith('rvl'):
        raise EvaluationError(
            f"'{topic}' has images of format '{image.format}', expected 16UC1 or 32FC1 in a PNG: "
            "set the transport's format to png, or record the raw images"
        )
    pixels = decode_png(image.data[_HEADER.size :])
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint16:
        raise EvaluationError(
            f"an image of format '{image.format}' on '{topic}' is no PNG of one channel with 16 "
            'bits after its header: leave this topic out'
        )
    if encoding != '32FC1':
        return pixels
    _, a, b = _HEADER.unpack_from(image.data)
    with np.errstate(divide='ignore'):
        depth = np.float32(a) / (pixels.astype(np.float32) - np.float32(b))
    return np.where(pixels > 0, depth, np.float32(np.nan))


def decode_png(data: np.ndarray) -> np.ndarray | None:
    """The pixels of a PNG (uint8), of its own type and channels; None where it is none."""
    try:
        return cv2.imdecode(np.asarray(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
