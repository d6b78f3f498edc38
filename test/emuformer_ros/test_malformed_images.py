"""Thousands of malformed images: each is converted as a plain reading does, or refused."""

import tracemalloc

import cv2
import numpy as np
import pytest
from malformed import compressed_cases, is_usable, plain_rgb, raw_cases
from sensor_msgs.msg import Image

from emuformer_ros.camera.image_conversion import ImageError, to_rgb

RAW_CASES = 12_000
COMPRESSED_CASES = 3_000
MEMORY_LIMIT = 2**20
"""Bytes that a conversion of these images, of a few hundred bytes, may take."""


def converted(message) -> np.ndarray | None:
    """The pixels of a message, None where it is refused; any other exception is a failure."""
    try:
        return to_rgb(message)
    except ImageError:
        return None


def test_malformed_images_are_refused_and_all_others_read_as_the_message_says():
    refused = 0
    for number, message in enumerate(raw_cases(RAW_CASES)):
        pixels = converted(message)
        refused += pixels is None
        assert (pixels is not None) == is_usable(message), (number, describe(message))
        if pixels is not None:
            expected = plain_rgb(message)
            known = ~np.isnan(expected)
            assert pixels.dtype == np.uint8
            assert pixels.shape == expected.shape
            # 8 bits are cut off or rounded, chroma is computed in fixed point.
            worst = np.abs(pixels - expected)[known].max(initial=0)
            assert worst <= tolerance(message), (number, describe(message))
    assert RAW_CASES / 3 < refused < RAW_CASES * 2 / 3, 'the cases are one-sided'


def tolerance(message: Image) -> float:
    return 2.0 if message.encoding.startswith(('yuv', 'uyvy', 'yuyv')) else 1.0


def describe(message: Image) -> str:
    return (
        f'{message.width}x{message.height} {message.encoding!r} step {message.step} '
        f'big-endian {message.is_bigendian} {len(message.data)} bytes'
    )


def test_malformed_images_take_no_memory_however_large_they_claim_to_be():
    messages = list(raw_cases(2_000, seed=1))
    for message in messages[:500]:
        converted(message)  # imports and caches of the libraries

    tracemalloc.start()
    try:
        for message in messages:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            converted(message)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < MEMORY_LIMIT, describe(message)
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_damaged_compressed_images_are_refused_or_decoded_and_whole_ones_always_decoded():
    refused = 0
    for number, (message, unharmed) in enumerate(compressed_cases(COMPRESSED_CASES)):
        pixels = converted(message)
        refused += pixels is None
        if pixels is not None:
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] == 3
        if unharmed:
            decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR_RGB)
            # Two JPEG decoders: the inverse transform may round differently.
            np.testing.assert_allclose(pixels.astype(int), decoded, atol=3, err_msg=str(number))
    assert refused > COMPRESSED_CASES / 2
