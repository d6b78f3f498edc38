import io
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from emuformer_ros.camera import image_conversion
from emuformer_ros.camera.image_conversion import MAX_PIXELS, ImageError, to_message, to_rgb

HEIGHT, WIDTH = 12, 20


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, **changes) -> Image:
    """An image of pixels (H, W, C), each row followed by `padding` bytes of 0xAA."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAA)
    fields = {
        'height': pixels.shape[0],
        'width': pixels.shape[1],
        'encoding': encoding,
        'is_bigendian': sys.byteorder == 'big',
        'step': padded.shape[1],
        'data': padded.tobytes(),
    }
    return Image(**{**fields, **changes})


def colour(encoding: str, rgb: np.ndarray) -> np.ndarray:
    """The pixels of an image in a colour encoding, made of RGB."""
    order = ['rgb'.index(channel) for channel in encoding[:3]]
    pixels = rgb[..., order]
    if encoding.startswith(('rgba', 'bgra')):
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 7)], axis=-1)
    return pixels.astype(np.uint16) * 257 if encoding.endswith('16') else pixels


@pytest.mark.parametrize('padding', [0, 2, 13])
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8'])
def test_colour_images_come_out_as_rgb_whatever_the_padding_of_their_rows(encoding, padding, rgb):
    converted = to_rgb(message(colour(encoding, rgb), encoding, padding))

    np.testing.assert_array_equal(converted, rgb)
    assert converted.dtype == np.uint8


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['rgb16', 'bgr16', 'rgba16', 'bgra16'])
def test_16_bit_colours_are_scaled_to_8_bits(encoding, padding, rgb):
    converted = to_rgb(message(colour(encoding, rgb), encoding, padding))

    # One step of 8 bits: cv_bridge rounds, rosbags-image cuts off.
    np.testing.assert_allclose(converted.astype(int), rgb, atol=1)


@pytest.mark.parametrize('padding', [0, 3])
def test_grey_images_have_three_equal_channels(padding, rgb):
    grey = rgb[..., 0]
    converted = to_rgb(message(grey, 'mono8', padding))

    np.testing.assert_array_equal(converted, np.dstack([grey] * 3))


def test_16_bit_grey_is_scaled_to_8_bits(rgb):
    grey = rgb[..., 0]
    converted = to_rgb(message(grey.astype(np.uint16) * 257, 'mono16'))

    np.testing.assert_allclose(converted.astype(int), np.dstack([grey] * 3), atol=1)


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_give_back_a_uniform_colour(pattern, bits):
    colours = {'r': 200, 'g': 90, 'b': 30}
    tile = np.array([colours[name] for name in pattern]).reshape(2, 2)
    mosaic = np.tile(tile, (HEIGHT // 2, WIDTH // 2)).astype(np.uint8)
    pixels = mosaic if bits == 8 else mosaic.astype(np.uint16) * 257

    converted = to_rgb(message(pixels, f'bayer_{pattern}{bits}', padding=4))

    # One step of 8 bits where 16 were cut off.
    np.testing.assert_allclose(converted.reshape(-1, 3).astype(int) - [200, 90, 30], 0, atol=1)


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('yuv422', 'uyvy'), ('uyvy', 'uyvy'), ('yuv422_yuy2', 'yuyv'), ('yuyv', 'yuyv')],
)
def test_yuv_images_give_back_a_uniform_colour(encoding, order):
    # ITU-R BT.601, studio range: RGB (200, 90, 30) in luma and chroma.
    red, green, blue = 200, 90, 30
    parts = {
        'y': 16 + 0.257 * red + 0.504 * green + 0.098 * blue,
        'u': 128 - 0.148 * red - 0.291 * green + 0.439 * blue,
        'v': 128 + 0.439 * red - 0.368 * green - 0.071 * blue,
    }
    pair = np.rint([parts[name] for name in order]).astype(np.uint8).reshape(2, 2)
    pixels = np.tile(pair, (HEIGHT, WIDTH // 2, 1))

    converted = to_rgb(message(pixels, encoding, padding=4))

    # Luma and chroma were rounded to whole numbers, up to 0.5 * 2.0 in blue.
    np.testing.assert_allclose(
        converted.reshape(-1, 3).astype(int) - [red, green, blue], 0, atol=2
    )


def test_what_follows_the_last_row_is_left_alone(rgb):
    image = message(rgb, 'rgb8')
    image.data.extend(b'trailer')

    np.testing.assert_array_equal(to_rgb(image), rgb)


def test_rgb8_is_read_in_place(rgb):
    image = message(rgb, 'rgb8')
    converted = to_rgb(image)
    image.data[0] ^= 0xFF

    assert converted[0, 0, 0] == rgb[0, 0, 0] ^ 0xFF


def test_byte_order_means_nothing_to_8_bit_images(rgb):
    image = message(rgb, 'rgb8', is_bigendian=True)

    np.testing.assert_array_equal(to_rgb(image), rgb)


@pytest.mark.parametrize(
    ('encoding', 'changes', 'reason'),
    [
        ('rgb8', {'height': 0, 'data': b''}, r'is empty \(20x0\)'),
        ('rgb8', {'width': 0}, r'is empty \(0x12\)'),
        ('rgb8', {'data': bytes(719)}, '719 bytes, 12 rows of 60 bytes take 720'),
        ('rgb8', {'data': b''}, '0 bytes, 12 rows of 60 bytes take 720'),
        ('rgb8', {'step': 59}, 'step is 59 bytes, 20 pixels of rgb8 take 60'),
        ('rgb8', {'step': 0}, 'step is 0 bytes'),
        ('mono16', {'is_bigendian': sys.byteorder == 'little'}, 'other byte order'),
        ('rgb9', {}, "'rgb9' is not a camera image's: publish one of rgb8, bgr8"),
        ('', {}, "'' is not a camera image's"),
        ('32FC1', {}, "'32FC1' is not a camera image's"),
        ('rgb8', {'height': 2**32 - 1, 'width': 2**32 - 1, 'step': 2**32 - 1}, 'more than'),
        ('rgb8', {'height': 2**25, 'width': 1, 'step': 3}, 'a side of more than 32768 pixels'),
        ('rgb8', {'height': 2**15}, '720 bytes, 32768 rows'),
        ('yuyv', {'width': 19, 'step': 60}, '19x12 yuyv cannot be converted to RGB'),
    ],
)
def test_images_that_cannot_be_used_are_refused_with_the_reason(encoding, changes, reason, rgb):
    with pytest.raises(ImageError, match=reason):
        to_rgb(message(rgb, encoding, **changes))


def test_a_float_image_full_of_nan_is_refused():
    nan = np.full((HEIGHT, WIDTH), np.nan, np.float32)

    with pytest.raises(ImageError, match="'32FC1' is not a camera image's"):
        to_rgb(message(nan, '32FC1'))


def encode(pixels: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def test_png_is_decoded_without_loss(rgb):
    compressed = CompressedImage(format='rgb8; png compressed rgb8', data=encode(rgb, 'PNG'))

    np.testing.assert_array_equal(to_rgb(compressed), rgb)


def test_jpeg_is_decoded(rgb):
    smooth = np.broadcast_to(rgb[:1, :1], (HEIGHT, WIDTH, 3)).copy()
    compressed = CompressedImage(format='jpeg', data=encode(smooth, 'JPEG', quality=95))

    # JPEG rounds one colour of a whole image in YCbCr: a few steps of 8 bits.
    np.testing.assert_allclose(to_rgb(compressed).astype(int), smooth, atol=4)


def test_grey_jpeg_has_three_equal_channels(rgb):
    decoded = to_rgb(CompressedImage(format='jpeg', data=encode(rgb[..., 0], 'JPEG')))

    assert decoded.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(decoded[..., 0], decoded[..., 2])


BAYER = 'bayer_rggb8; jpeg compressed '
"""The format of image_transport's compressed images of a Bayer mosaic, whose pixels it keeps."""


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_a_compressed_bayer_mosaic_is_refused_and_not_taken_for_grey(kind, rgb):
    mosaic = CompressedImage(format=BAYER, data=encode(rgb[..., 0], kind))

    with pytest.raises(ImageError, match=r'is a Bayer mosaic .* publish the compressed images of'):
        to_rgb(mosaic)


def test_a_compressed_image_that_was_made_colour_of_a_mosaic_is_taken(rgb):
    colour = CompressedImage(format=f'{BAYER}bgr8', data=encode(rgb, 'PNG'))

    np.testing.assert_array_equal(to_rgb(colour), rgb)


def test_pixels_keep_the_geometry_of_the_camera_whatever_orientation_a_tag_asks_for(rgb):
    exif = Pillow.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees to view
    compressed = CompressedImage(format='jpeg', data=encode(rgb, 'JPEG', exif=exif))

    assert to_rgb(compressed).shape == (HEIGHT, WIDTH, 3)


def png_that_claims(width: int, height: int) -> bytes:
    """A small PNG whose header claims another size."""
    data = bytearray(encode(np.zeros((2, 2), np.uint8), 'PNG'))
    data[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, 'big')
    return bytes(data)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_compressed_images_that_are_cut_short_are_refused(kind, rgb):
    data = encode(rgb, kind)

    for length in (0, 3, 40, len(data) // 2):
        with pytest.raises(ImageError, match=f"{length} bytes of format 'x' cannot be decoded"):
            to_rgb(CompressedImage(format='x', data=data[:length]))


def test_16_bit_colours_of_a_png_are_scaled_to_8_bits(rgb):
    _, data = cv2.imencode('.png', rgb[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(to_rgb(CompressedImage(format='png', data=data.tobytes())), rgb)


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'this is not an image', 'cannot be decoded as JPEG or PNG'),
        (png_that_claims(9000, 9000), f'9000x9000, more than {MAX_PIXELS} pixels'),
        (png_that_claims(60000, 60000), 'decompression bomb'),
        (png_that_claims(40000, 8), '40000x8, a side of more than 32768 pixels'),
        (encode(np.zeros((2, 2), np.uint16), 'PNG'), 'more than 8 bits per channel'),
    ],
)
def test_compressed_images_that_cannot_be_used_are_refused_with_the_reason(data, reason):
    with pytest.raises(ImageError, match=reason):
        to_rgb(CompressedImage(format='png', data=data))


@pytest.mark.parametrize(
    ('encoding', 'shape', 'dtype'),
    [('mono8', (5, 7), np.uint8), ('32FC1', (5, 7), np.float32), ('rgb8', (5, 7, 3), np.uint8)],
)
def test_maps_become_messages_with_every_field_set(encoding, shape, dtype):
    pixels = (np.arange(np.prod(shape)).reshape(shape) * 0.5).astype(dtype)
    header = Header(frame_id='camera')
    header.stamp.nanosec = 5

    made = to_message(pixels, encoding, header)

    assert made.header == header
    assert (made.height, made.width, made.encoding) == (5, 7, encoding)
    assert made.step == pixels.nbytes // 5
    assert bool(made.is_bigendian) == (sys.byteorder == 'big')
    np.testing.assert_array_equal(np.frombuffer(made.data, dtype).reshape(shape), pixels)


def test_a_map_that_is_a_view_is_written_row_by_row():
    pixels = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1]
    made = to_message(pixels, '32FC1', Header())

    np.testing.assert_array_equal(np.frombuffer(made.data, np.float32).reshape(2, 6), pixels)


@pytest.mark.parametrize(
    ('encoding', 'bytes_per_pixel'),
    [('rgba8', 4), ('bgra8', 4), ('bgr16', 6), ('mono16', 2), ('bayer_rggb8', 1), ('yuv422', 2)],
)
def test_cv_bridge_and_rosbags_image_agree(encoding, bytes_per_pixel):
    cv_bridge = pytest.importorskip('cv_bridge')
    values = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, bytes_per_pixel), np.uint8)
    image = message(values, encoding, padding=6)

    expected = cv_bridge.CvBridge().imgmsg_to_cv2(image, 'rgb8')

    # One step of 8 bits: cv_bridge rounds, rosbags-image cuts off.
    np.testing.assert_allclose(
        image_conversion._convert_with_rosbags(image).astype(int), expected, atol=1
    )
