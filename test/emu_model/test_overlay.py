import numpy as np
import pytest

from emu_model.overlay import blend_classes

PALETTE = ((255, 0, 0), (0, 128, 64), (10, 20, 30))


def blend_slowly(image, classes, palette, opacity):
    blended = image.copy()
    for row, column in np.ndindex(classes.shape):
        if classes[row, column] < len(palette):
            colour = np.array(palette[classes[row, column]], float)
            mixed = (1 - opacity) * image[row, column] + opacity * colour
            blended[row, column] = np.round(mixed)
    return blended


@pytest.mark.parametrize('opacity', [0.0, 0.3, 0.5, 1.0])
def test_each_pixel_is_mixed_with_the_colour_of_its_class(opacity):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    classes = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (7, 9))
    expected = blend_slowly(image, classes, PALETTE, opacity)
    blended = blend_classes(image, classes, PALETTE, opacity)
    # OpenCV and NumPy round a half to different sides.
    assert np.abs(blended.astype(int) - expected).max() <= 1
    assert blended.dtype == np.uint8
    assert blended.flags.c_contiguous


def test_pixels_without_a_class_keep_the_camera_colour_exactly():
    image = np.full((2, 3, 3), 200, np.uint8)
    classes = np.array([[255, 3, 254], [7, 255, 100]], np.uint8)
    assert (blend_classes(image, classes, PALETTE, 0.9) == image).all()


def test_the_camera_image_is_left_as_it_is():
    image = np.full((2, 2, 3), 50, np.uint8)
    blend_classes(image, np.zeros((2, 2), np.uint8), PALETTE)
    assert (image == 50).all()


def test_views_of_larger_arrays_are_taken():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    classes = rng.integers(0, 3, (8, 10), dtype=np.uint8)
    part = blend_classes(image[::2, 1:9], classes[::2, 1:9], PALETTE)
    assert (part == blend_classes(image, classes, PALETTE)[::2, 1:9]).all()


@pytest.mark.parametrize(
    ('image', 'classes', 'opacity', 'message'),
    [
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8), 0.5, 'of one size'),
        (np.zeros((2, 2, 3), np.float32), np.zeros((2, 2), np.uint8), 0.5, 'image is float32'),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.int64), 0.5, 'classes are int64'),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), 1.5, 'opacity is 1.5'),
    ],
)
def test_arguments_that_do_not_fit_are_named(image, classes, opacity, message):
    with pytest.raises(ValueError, match=message):
        blend_classes(image, classes, PALETTE, opacity)
