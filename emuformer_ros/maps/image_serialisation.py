"""Maps to serialised image messages, which publishers take as they take messages."""

import struct
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from std_msgs.msg import Header

_ENCAPSULATION = b'\x00\x01\x00\x00'
"""What follows is CDR, little-endian; alignment counts from its end."""


def serialise_image(pixels: np.ndarray, encoding: str, header: 'Header') -> bytes:
    """A sensor_msgs/Image in the common data representation (OMG DDSI-RTPS 2.2, chapter 10).

    The pixels are copied once. Of a message, rclpy copies them into its field, from there into a
    structure of C, and then serialises that, which takes a third more time up to publication.

    Args:
        pixels: (H, W) or (H, W, C), of the dtype that the encoding stands for.
        encoding: 'mono8', 'rgb8', '16UC1' or '32FC1'.
        header: Stamp and frame_id, of the image that the map was made of.
    """
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    fields = bytearray(struct.pack('<iI', header.stamp.sec, header.stamp.nanosec))
    _append_text(fields, header.frame_id)
    fields += struct.pack('<II', height, width)
    _append_text(fields, encoding, followed_by=bytes([sys.byteorder == 'big']))
    fields += struct.pack('<II', pixels.strides[0], pixels.nbytes)
    return b''.join((_ENCAPSULATION, fields, memoryview(pixels).cast('B')))


def _append_text(fields: bytearray, text: str, followed_by: bytes = b'') -> None:
    """Append a string and what has no alignment, up to where a number of 32 bits may follow."""
    characters = text.encode() + b'\0'
    fields += struct.pack('<I', len(characters)) + characters + followed_by
    fields += bytes(-len(fields) % 4)
