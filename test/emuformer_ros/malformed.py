"""Malformed image messages, and what a plain reading of sensor_msgs/Image makes of each."""

import array
import io
import random
import string
import sys
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image as Pillow
from sensor_msgs.msg import CompressedImage, Image

CHANNELS = {'rgb': 'rgb', 'bgr': 'bgr', 'rgba': 'rgba', 'bgra': 'bgra', 'mono': 'm'}
YUV_ORDERS = {'yuv422': 'uyvy', 'uyvy': 'uyvy', 'yuv422_yuy2': 'yuyv', 'yuyv': 'yuyv'}
BAYER = ('bayer_rggb', 'bayer_bggr', 'bayer_gbrg', 'bayer_grbg')
ENCODINGS = [f'{name}{bits}' for name in (*CHANNELS, *BAYER) for bits in (8, 16)] + [*YUV_ORDERS]
FOREIGN_ENCODINGS = [
    '',
    'RGB8',
    'rgb',
    '8UC3',
    '16UC1',
    '32FC1',
    'nv12',
    'jpeg',
    'rgb8 ',
    'rgb8\0',
]
NATIVE_IS_BIG = sys.byteorder == 'big'


def raw_cases(count: int, seed: int = 0) -> Iterator[Image]:
    """Images of which most have something wrong with up to three of their fields."""
    rng = random.Random(seed)
    for _ in range(count):
        message = good_image(rng)
        for _ in range(rng.randrange(4)):
            rng.choice(MUTATIONS)(rng, message)
        yield message


def good_image(rng: random.Random) -> Image:
    """A small image of random pixels in any encoding, its rows padded or not."""
    encoding = rng.choice(ENCODINGS)
    height, width = rng.randint(1, 8), rng.randint(1, 8)
    step = width * bytes_per_pixel(encoding) + rng.choice((0, 0, 1, 5))
    data = array.array('B', rng.randbytes(height * step))
    return Image(
        height=height, width=width, encoding=encoding, step=step, data=data,
        is_bigendian=NATIVE_IS_BIG,
    )  # fmt: skip


def bytes_per_pixel(encoding: str) -> int:
    if encoding in YUV_ORDERS:
        return 2
    name = encoding.rstrip('0123456789')
    return len(CHANNELS.get(name, 'm')) * int(encoding[len(name) :]) // 8


def number(rng: random.Random, now: int) -> int:
    """A value for a field of 32 bits: near what it is, at a limit, or anything."""
    near = (0, 1, max(now - 1, 0), now + 1, 2 * now, now // 2)
    limits = (255, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
    return rng.choice([*near, *near, *limits, rng.getrandbits(32)])


def mutate_number(field: str) -> Callable[[random.Random, Image], None]:
    def mutate(rng: random.Random, message: Image) -> None:
        setattr(message, field, number(rng, getattr(message, field)))

    return mutate


def mutate_encoding(rng: random.Random, message: Image) -> None:
    noise = ''.join(rng.choices(string.printable + 'äσ画', k=rng.randint(1, 40)))
    message.encoding = rng.choice([*ENCODINGS, *FOREIGN_ENCODINGS, noise])


def mutate_length(rng: random.Random, message: Image) -> None:
    length = rng.choice((0, 1, len(message.data) - 1, len(message.data) + 1, rng.randrange(700)))
    message.data = array.array('B', rng.randbytes(max(length, 0)))


def mutate_byte_order(rng: random.Random, message: Image) -> None:
    message.is_bigendian = rng.choice((0, 1, 2, 255))


MUTATIONS = (
    mutate_number('width'),
    mutate_number('height'),
    mutate_number('step'),
    mutate_encoding,
    mutate_length,
    mutate_byte_order,
)


def is_usable(message: Image) -> bool:
    """Whether sensor_msgs/Image gives the message a meaning, and it is no larger than 8K."""
    if message.encoding not in ENCODINGS:
        return False
    if not 0 < message.width * message.height <= 2**25:
        return False
    if message.step < message.width * bytes_per_pixel(message.encoding):
        return False
    if len(message.data) < message.step * message.height:
        return False
    if message.encoding.endswith('16') and bool(message.is_bigendian) != NATIVE_IS_BIG:
        return False
    return message.encoding not in YUV_ORDERS or message.width % 2 == 0


def plain_rgb(message: Image) -> np.ndarray:
    """The colours of a usable message, pixel by pixel; NaN where there is no plain answer.

    Values of 16 bits are in units of 8 bits. Bayer patterns are interpolated bilinearly; at their
    border libraries differ.
    """
    rgb = np.full((message.height, message.width, 3), np.nan)
    name = message.encoding.rstrip('0123456789')
    for row in range(message.height):
        for column in range(message.width):
            if message.encoding in YUV_ORDERS:
                rgb[row, column] = _yuv_pixel(message, row, column)
            elif name in CHANNELS:
                values = dict(zip(CHANNELS[name], _values(message, row, column)))
                rgb[row, column] = [values.get(channel, values.get('m')) for channel in 'rgb']
            elif 0 < row < message.height - 1 and 0 < column < message.width - 1:
                rgb[row, column] = _bayer_pixel(message, row, column)
    return rgb


def _values(message: Image, row: int, column: int) -> list[float]:
    size = bytes_per_pixel(message.encoding)
    start = row * message.step + column * size
    pixel = message.data[start : start + size]
    if not message.encoding.endswith('16'):
        return list(pixel)
    pairs = zip(pixel[::2], pixel[1::2])
    return [int.from_bytes(pair, sys.byteorder) / 257 for pair in pairs]


def _yuv_pixel(message: Image, row: int, column: int) -> list[float]:
    """ITU-R BT.601, studio range; two pixels share their chroma."""
    start = row * message.step + 2 * (column // 2 * 2)
    pair = message.data[start : start + 4]
    order = YUV_ORDERS[message.encoding]
    luma = pair[[i for i, c in enumerate(order) if c == 'y'][column % 2]]
    y = 1.164 * max(luma - 16, 0)
    u, v = pair[order.index('u')] - 128, pair[order.index('v')] - 128
    colours = (y + 1.596 * v, y - 0.813 * v - 0.391 * u, y + 2.018 * u)
    return [min(max(colour, 0), 255) for colour in colours]


def _bayer_pixel(message: Image, row: int, column: int) -> list[float]:
    pattern = message.encoding[len('bayer_') :]
    found: dict[tuple[str, int], list[float]] = {}
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            colour = pattern[(row + down) % 2 * 2 + (column + right) % 2]
            distance = abs(down) + abs(right)
            value = _values(message, row + down, column + right)[0]
            found.setdefault((colour, distance), []).append(value)
    nearest = [min(d for c, d in found if c == colour) for colour in 'rgb']
    return [np.mean(found[colour, distance]) for colour, distance in zip('rgb', nearest)]


def compressed_cases(count: int, seed: int = 0) -> Iterator[tuple[CompressedImage, bool]]:
    """Compressed images, and whether each is unharmed."""
    rng = random.Random(seed)
    for index in range(count):
        kind = rng.choice(('JPEG', 'PNG'))
        data = _encoded(rng, kind)
        harm = rng.choice(_HARMS) if index % 5 else None
        format_name = rng.choice(('jpeg', 'png', '', 'rgb8; png compressed bgr8', 'käse'))
        message = CompressedImage(format=format_name)
        message.data = array.array('B', harm(rng, bytearray(data)) if harm else data)
        yield message, harm is None


def _encoded(rng: random.Random, kind: str) -> bytes:
    height, width = rng.randint(1, 40), rng.randint(1, 40)
    mode, channels = rng.choice((('RGB', 3), ('L', 1)))
    image = Pillow.frombytes(mode, (width, height), rng.randbytes(height * width * channels))
    return encode(image, kind)


def encode(image: Pillow.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def _cut(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _flip_bits(rng: random.Random, data: bytearray) -> bytes:
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _overwrite_start(rng: random.Random, data: bytearray) -> bytes:
    """Damage where the sizes, tables and colour types are."""
    start = rng.randrange(min(60, len(data)))
    data[start : start + 4] = rng.randbytes(4)
    return bytes(data)


def _drop_middle(rng: random.Random, data: bytearray) -> bytes:
    first, last = sorted(rng.choices(range(len(data)), k=2))
    return bytes(data[:first] + data[last:])


def _noise(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.choice((0, 4, 8, 33))]) + rng.randbytes(rng.randrange(400))


_HARMS = (_cut, _flip_bits, _overwrite_start, _drop_middle, _noise)
