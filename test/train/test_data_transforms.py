import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emu_model.geometry import Intrinsics
from train.data.sample import Sample
from train.data.transforms import (
    PADDING_COLOUR,
    HorizontalFlip,
    JitterStrengths,
    RandomCrop,
    RandomScale,
    Resize,
    colour_jitter,
)

CAMERA = Intrinsics(fx=50.0, fy=47.0, cx=21.3, cy=11.8)
SEEDS = st.integers(0, 2**32)
LENGTHS = st.integers(5, 60)


def numbered_sample(height: int, width: int) -> Sample:
    """Depth is 1 + the pixel's number, so that a pixel says where it came from."""
    number = np.arange(height * width, dtype=np.float32).reshape(height, width)
    image = np.stack([number % 251, number % 241, number % 239], axis=-1)
    return Sample(
        image=image.astype(np.uint8),
        classes=(number % 19).astype(np.uint8),
        depth=number + 1,
        not_padding=np.ones((height, width), bool),
        intrinsics=CAMERA,
        index=7,
    )


def assert_points_project_to_their_pixels(
    before: Sample, after: Sample, scale: float, mirrored: bool, tolerance_px: tuple[float, float]
):
    """Every surface point, found by the number in the depth map, is seen where it now lies.

    A scaled sample shows the point at depth z/scale; a mirrored one shows it at −x.
    """
    rows, columns = np.nonzero(after.depth)
    assert rows.size
    depth = after.depth[rows, columns].astype(np.float64)
    number = np.rint(depth * scale - 1).astype(int)
    row, column = np.divmod(number, before.size[1])
    x = (column - before.intrinsics.cx) * (number + 1) / before.intrinsics.fx
    y = (row - before.intrinsics.cy) * (number + 1) / before.intrinsics.fy
    if mirrored:
        x = -x
    camera = after.intrinsics
    u = camera.fx * x / depth + camera.cx
    v = camera.fy * y / depth + camera.cy
    assert np.abs(u - columns).max() <= tolerance_px[1]
    assert np.abs(v - rows).max() <= tolerance_px[0]


def nearest_tolerance(before: Sample, after: Sample) -> tuple[float, float]:
    """A nearest neighbour lies half a source pixel away at the most, plus fp32 rounding."""
    return tuple(0.5 * new / old + 1e-3 for old, new in zip(before.size, after.size))


@given(LENGTHS, LENGTHS, LENGTHS, LENGTHS)
def test_resizing_keeps_points_on_their_pixels_and_depth_metric(height, width, rows, columns):
    before = numbered_sample(height, width)
    after = Resize(rows, columns)(before)
    assert after.size == (rows, columns) == after.classes.shape == after.not_padding.shape
    assert set(after.depth.ravel()) <= set(before.depth.ravel())
    assert_points_project_to_their_pixels(
        before, after, 1.0, False, nearest_tolerance(before, after)
    )


@given(LENGTHS, LENGTHS, SEEDS)
def test_scaling_divides_depth_for_the_same_camera(height, width, seed):
    before = numbered_sample(height, width)
    after = RandomScale(0.5, 2.0)(before, np.random.default_rng(seed))
    scale = np.random.default_rng(seed).uniform(0.5, 2.0)
    assert after.size == (round(height * scale), round(width * scale))
    # Whole pixels round each side by half a pixel at the most.
    assert after.intrinsics.fx == pytest.approx(CAMERA.fx, rel=0.5 / (width * scale) + 1e-9)
    assert after.intrinsics.fy == pytest.approx(CAMERA.fy, rel=0.5 / (height * scale) + 1e-9)
    assert_points_project_to_their_pixels(
        before, after, scale, False, nearest_tolerance(before, after)
    )


@given(LENGTHS, LENGTHS, LENGTHS, LENGTHS, SEEDS)
def test_cropping_keeps_points_on_their_pixels_and_marks_padding(
    height, width, rows, columns, seed
):
    before = numbered_sample(height, width)
    after = RandomCrop(rows, columns)(before, np.random.default_rng(seed))
    assert after.size == (rows, columns)
    assert after.not_padding.sum() == min(height, rows) * min(width, columns)
    outside = ~after.not_padding
    assert (after.depth[outside] == 0).all()
    assert (after.classes[outside] == 255).all()
    assert (after.image[outside] == PADDING_COLOUR).all()
    # Moving the principal point by whole pixels leaves float64 rounding alone.
    assert_points_project_to_their_pixels(before, after, 1.0, False, (1e-9, 1e-9))


@given(LENGTHS, LENGTHS)
def test_flipping_mirrors_points_and_twice_is_nothing(height, width):
    before = numbered_sample(height, width)
    flip = HorizontalFlip(1.0)
    after = flip(before, np.random.default_rng(0))
    assert_points_project_to_their_pixels(before, after, 1.0, True, (1e-9, 1e-9))
    again = flip(after, np.random.default_rng(0))
    assert again.intrinsics.cx == pytest.approx(CAMERA.cx, abs=1e-12)
    for field in ('image', 'classes', 'depth', 'not_padding'):
        np.testing.assert_array_equal(getattr(again, field), getattr(before, field))


@given(SEEDS)
def test_image_classes_and_depth_stay_aligned_through_crop_and_flip(seed):
    rng = np.random.default_rng(seed)
    before = numbered_sample(23, 31)
    after = HorizontalFlip(0.5)(RandomCrop(17, 40)(before, rng), rng)
    inside = after.not_padding
    number = after.depth[inside] - 1
    np.testing.assert_array_equal(after.classes[inside], number % 19)
    np.testing.assert_array_equal(after.image[inside][:, 0], number % 251)
    np.testing.assert_array_equal(after.image[inside][:, 2], number % 239)


@pytest.mark.parametrize('size', [(7, 11), (20, 26), (29, 41), (64, 80)])
def test_labels_and_depth_are_taken_from_the_nearest_pixel(size):
    before = numbered_sample(13, 17)
    after = Resize(*size)(before)
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int)
        for old, new in zip(before.size, size)
    )
    np.testing.assert_array_equal(after.depth, before.depth[rows][:, columns])
    np.testing.assert_array_equal(after.classes, before.classes[rows][:, columns])


def test_a_linear_image_is_resized_to_the_same_linear_image():
    # Pixel centres at (i + ½)/s − ½ of the source: away from the border, a ramp stays a ramp.
    ramp = np.broadcast_to(4.0 * np.arange(40), (40, 40))
    image = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    before = dataclasses.replace(numbered_sample(40, 40), image=image)
    for length in (20, 60, 80):
        after = Resize(length, length)(before).image[..., 0].astype(float)
        expected = 4 * ((np.arange(length) + 0.5) * 40 / length - 0.5)
        inner = slice(3, -3)
        # OpenCV computes in fixed point; half a pixel off would be two grey values or more.
        assert np.abs(after[:, inner] - expected[inner]).max() < 1


def test_a_missing_measurement_stays_missing_when_scaled():
    before = numbered_sample(30, 40)
    before.depth[::2] = 0
    for seed in range(10):
        after = RandomScale(0.5, 2.0)(before, np.random.default_rng(seed))
        assert set(np.unique(after.depth == 0)) == {False, True}
        scale = np.random.default_rng(seed).uniform(0.5, 2.0)
        kept = after.depth[after.depth > 0]
        assert kept.min() >= before.depth[before.depth > 0].min() / scale * (1 - 1e-6)


def test_flips_come_as_often_as_asked_for():
    before = numbered_sample(5, 6)
    flip = HorizontalFlip(0.25)
    rng = np.random.default_rng(0)
    flips = sum(flip(before, rng) is not before for _ in range(4000))
    # Four standard deviations of a binomial: 4·√(4000·¼·¾).
    assert abs(flips - 1000) < 4 * 27.4


def test_crops_reach_every_place():
    before = numbered_sample(6, 9)
    crop = RandomCrop(5, 6)
    rng = np.random.default_rng(0)
    corners = {float(crop(before, rng).depth[0, 0]) for _ in range(400)}
    assert corners == {1 + 9 * row + column for row in range(2) for column in range(4)}


@pytest.mark.parametrize('scales', [(0.0, 1.0), (-1.0, 1.0), (2.0, 0.5)])
def test_scales_that_are_no_range_are_refused(scales):
    with pytest.raises(ValueError, match='give 0 < smallest <= largest'):
        RandomScale(*scales)


def test_a_sample_becomes_the_tensors_the_networks_take():
    sample = numbered_sample(4, 6)
    tensors = HorizontalFlip(1.0)(sample, np.random.default_rng(0)).tensors()
    shapes = {name: (value.dtype, tuple(value.shape)) for name, value in tensors.items()}
    assert shapes == {
        'image': (torch.float32, (3, 4, 6)),
        'classes': (torch.int64, (4, 6)),
        'depth': (torch.float32, (4, 6)),
        'not_padding': (torch.bool, (4, 6)),
        'intrinsics': (torch.float32, (4,)),
        'index': (torch.int64, ()),
    }
    expected = torch.from_numpy(sample.image[:, ::-1].copy()).permute(2, 0, 1) / 255
    assert torch.equal(tensors['image'], expected)
    assert tensors['intrinsics'].tolist() == pytest.approx([50.0, 47.0, 5 - 21.3, 11.8])
    assert tensors['index'] == 7


# Colour jitter


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, 12, 16, generator=torch.Generator().manual_seed(3))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_strength_leaves_images_alone():
    still = colour_jitter(images(), JitterStrengths(0, 0, 0, 0), seeded())
    # Through hue, saturation, value and back: fp32 rounding.
    torch.testing.assert_close(still, images(), atol=1e-5, rtol=0)


def test_brightness_is_one_factor_per_image():
    dark = 0.6 * images()
    ratio = colour_jitter(dark, JitterStrengths(0.5, 0, 0, 0), seeded()) / dark
    factors = ratio.flatten(1).median(dim=1).values
    assert ((factors >= 0.5) & (factors <= 1.5)).all()
    assert factors.unique().numel() == len(dark)
    # 0.6 · 1.5 stays below 1, so nothing is clipped.
    torch.testing.assert_close(
        ratio, factors.view(-1, 1, 1, 1).expand_as(ratio), rtol=1e-3, atol=0
    )


def test_contrast_moves_values_away_from_the_mean_grey():
    middle = 0.4 + 0.2 * images()
    out = colour_jitter(middle, JitterStrengths(0, 0.5, 0, 0), seeded())
    grey = (torch.tensor([0.2989, 0.587, 0.114]).view(3, 1, 1) * middle).sum(dim=1)
    mean = grey.mean(dim=(1, 2)).view(-1, 1, 1, 1)
    factor = ((out - mean) / (middle - mean)).flatten(1).median(dim=1).values.view(-1, 1, 1, 1)
    assert ((factor >= 0.5) & (factor <= 1.5)).all()
    torch.testing.assert_close(out, mean + factor * (middle - mean), atol=1e-4, rtol=0)


def test_grey_images_have_neither_hue_nor_saturation():
    grey = images()[:, :1].repeat(1, 3, 1, 1)
    out = colour_jitter(grey, JitterStrengths(0, 0, 0.5, 0.5), seeded())
    torch.testing.assert_close(out, grey, atol=1e-4, rtol=0)


def test_hue_keeps_the_brightest_and_the_darkest_channel():
    out = colour_jitter(images(), JitterStrengths(0, 0, 0, 0.5), seeded())
    torch.testing.assert_close(out.amax(dim=1), images().amax(dim=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.amin(dim=1), images().amin(dim=1), atol=1e-5, rtol=0)
    assert (out - images()).abs().mean() > 0.05


def test_jitter_follows_its_generator_and_leaves_its_input():
    given_images = images()
    first = colour_jitter(given_images, generator=seeded(1))
    assert torch.equal(given_images, images())
    assert torch.equal(first, colour_jitter(given_images, generator=seeded(1)))
    assert not torch.equal(first, colour_jitter(given_images, generator=seeded(2)))
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize('strengths', [{'brightness': -0.1}, {'hue': 0.6}])
def test_impossible_strengths_are_refused(strengths):
    with pytest.raises(ValueError, match='at least 0, and hue'):
        JitterStrengths(**strengths)
