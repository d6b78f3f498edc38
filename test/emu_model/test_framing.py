import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from emu_model.framing import PADDING_COLOUR, RESIZE_MODES, Framing, blank, frame_window
from emu_model.prediction import Prediction

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@pytest.mark.parametrize(
    ('mode', 'image', 'network', 'window'),
    [
        ('resize', (480, 640), (512, 512), (0, 0, 480, 640)),
        ('letterbox', (480, 640), (512, 512), (-80, 0, 640, 640)),
        ('letterbox', (640, 480), (512, 512), (0, -80, 640, 640)),
        ('letterbox', (720, 1280), (192, 256), (-120, 0, 960, 1280)),
        ('crop', (480, 640), (512, 512), (0, 80, 480, 480)),
        ('crop', (640, 480), (512, 512), (80, 0, 480, 480)),
        ('crop', (720, 1280), (192, 256), (0, 160, 720, 960)),
        ('letterbox', (480, 640), (192, 256), (0, 0, 480, 640)),
        ('crop', (480, 640), (192, 256), (0, 0, 480, 640)),
    ],
)
def test_the_window_has_the_network_s_shape_around_the_middle(mode, image, network, window):
    top, left, height, width = window

    assert frame_window(image, network, mode) == Framing(image, top, left, (height, width))


def test_an_unknown_mode_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no resize mode 'stretch': choose of resize, letterbox"):
        frame_window((4, 4), (4, 4), 'stretch')


@hypothesis.given(image_size=SIZES, network_size=SIZES, mode=st.sampled_from(RESIZE_MODES))
def test_pictures_and_maps_are_those_of_a_plain_loop_over_the_pixels(
    image_size, network_size, mode
):
    framing = frame_window(image_size, network_size, mode)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*image_size, 3), np.uint8)
    values = rng.random(framing.size, np.float32)
    classes = rng.integers(0, 7, framing.size, np.uint8)

    picture = np.empty((*framing.size, 3), np.uint8)
    undone = np.full(image_size, np.nan, np.float32)
    undone_classes = np.full(image_size, 255, np.uint8)
    for row, column in np.ndindex(*framing.size):
        y, x = row + framing.top, column + framing.left
        is_image = 0 <= y < image_size[0] and 0 <= x < image_size[1]
        picture[row, column] = image[y, x] if is_image else PADDING_COLOUR
        if is_image:
            undone[y, x] = values[row, column]
            undone_classes[y, x] = classes[row, column]

    np.testing.assert_array_equal(framing.picture(image), picture)
    maps = framing.undo(Prediction(classes=classes, depth=values))
    np.testing.assert_array_equal(maps.depth, undone)
    np.testing.assert_array_equal(maps.classes, undone_classes)
    assert (maps.classes.dtype, maps.depth.dtype) == (np.uint8, np.float32)


@hypothesis.given(image_size=SIZES, network_size=SIZES)
def test_a_letterbox_covers_the_image_and_a_crop_lies_in_it(image_size, network_size):
    letterbox = frame_window(image_size, network_size, 'letterbox')
    crop = frame_window(image_size, network_size, 'crop')

    assert letterbox.undo(Prediction(depth=np.zeros(letterbox.size))).depth.shape == image_size
    assert not np.isnan(letterbox.undo(Prediction(depth=np.zeros(letterbox.size))).depth).any()
    assert not crop.unseen(crop.size).any()
    for framing in (letterbox, crop):
        # As wide as the network's picture to within the rounding of one side.
        height, width = framing.size
        wanted = network_size[1] / network_size[0]
        assert (
            (width - 0.5) / height <= wanted <= (width + 0.5) / height
            or width / (height + 0.5) <= wanted <= width / max(height - 0.5, 1e-9)
            or min(height, width) == 1
        )


def test_padding_is_where_the_centre_of_a_resized_pixel_is_outside_the_image():
    framing = frame_window((30, 64), (48, 48), 'letterbox')
    unseen = framing.unseen((48, 48))

    # 64 rows in 48 pixels; the image is rows 17 to 47 of the window.
    expected = [not 17 <= (row + 0.5) * 64 / 48 <= 47 for row in range(48)]
    assert unseen.shape == (48, 48)
    np.testing.assert_array_equal(unseen, np.array(expected)[:, None].repeat(48, axis=1))
    assert not frame_window((30, 64), (48, 48), 'crop').unseen((48, 48)).any()


def test_what_is_unknown_of_the_image_is_unseen_in_a_resized_window():
    framing = frame_window((30, 64), (16, 16), 'letterbox')
    unknown = np.zeros((30, 64), bool)
    unknown[:, :20] = True
    unseen = framing.unseen((16, 16), unknown)

    # Four columns of the image in one; the centre of the fifth is at column 18, the sixth's at 22.
    in_image = unseen[8]
    np.testing.assert_array_equal(in_image, np.arange(16) < 5)
    assert unseen[0].all()


def test_what_is_not_known_is_unlabelled_without_confidence_and_nan():
    shape = (2, 3)
    unknown = np.array([[True, False, False], [False, True, False]])
    ones = np.ones(shape, np.float32)
    maps = blank(
        Prediction(
            classes=np.ones(shape, np.uint8), entropy=ones, confidence=ones, depth_std=ones
        ),
        unknown,
    )

    np.testing.assert_array_equal(maps.classes, np.where(unknown, 255, 1))
    np.testing.assert_array_equal(maps.confidence, np.where(unknown, 0, 1))
    np.testing.assert_array_equal(maps.entropy, np.where(unknown, np.nan, 1))
    np.testing.assert_array_equal(maps.depth_std, np.where(unknown, np.nan, 1))
    assert maps.depth is None
    assert maps.classes.dtype == np.uint8
    assert maps.entropy.dtype == maps.confidence.dtype == np.float32
    assert (ones == 1).all()
