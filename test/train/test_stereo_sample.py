"""Pairs with pseudo labels as samples: geometry stays right under every transform."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stereo_files import write_cityscapes

from emu_model import scenes
from emu_model.geometry import Intrinsics
from emu_model.warping import disparity_from_depth, is_visible, warp
from train.data.sample import Sample
from train.data.transforms import RandomCrop, RandomScale, Resize
from train.stereo.dataset import PseudoLabelledPairs
from train.stereo.label_files import PseudoLabels, label_path, write_labels
from train.stereo.pairs import VIEWS, PairSource, StereoPair, open_pairs
from train.stereo.sample import EachView, MirrorPair, StereoSample

TRANSFORMS = {
    'resize': EachView(Resize(72, 140)),
    'scale': EachView(RandomScale(0.7, 1.6)),
    'crop': EachView(RandomCrop(60, 90)),
    'mirror': MirrorPair(1.0),
}


def exact_pair(seed=3, doffs=0.0) -> StereoSample:
    """A synthetic pair with exact depth; the right camera's image moved by doffs columns."""
    left, right = (
        Sample(
            image=frame.image,
            classes=frame.classes,
            depth=np.where(frame.depth < 80, frame.depth, np.float32(0)),
            not_padding=np.ones(frame.depth.shape, bool),
            intrinsics=frame.intrinsics,
            index=0,
            confidence=np.ones(frame.depth.shape, np.float32),
        )
        for frame in scenes.stereo_pair('street', seed, 96, 160, focal_length_px=150)
    )
    baseline_m = scenes.render('street', seed, 4, 4).baseline_m
    if doffs:
        camera = right.intrinsics
        moved = Intrinsics(camera.fx, camera.fy, camera.cx + doffs, camera.cy)
        columns = {
            name: np.roll(getattr(right, name), int(doffs), axis=1)
            for name in ('image', 'classes', 'depth')
        }
        right = Sample(
            **columns, not_padding=right.not_padding, intrinsics=moved, index=0,
            confidence=right.confidence,
        )  # fmt: skip
    return StereoSample.of(left, right, baseline_m)


def class_agreement(sample: StereoSample, view: str) -> float:
    """Share of the pixels that both views see whose classes agree after the warp."""
    tensors = {name: value[None] for name, value in sample.tensors().items()}
    prefix = {'left': '', 'right': 'right_'}
    disparity = {
        name: disparity_from_depth(
            tensors[prefix[name] + 'depth'], tensors['focal_baseline'], tensors['doffs']
        )
        for name in VIEWS
    }
    other = VIEWS[1 - VIEWS.index(view)]
    seen = is_visible(disparity[view], disparity[other], view, 0.5)
    classes = tensors[prefix[other] + 'classes'].double()[:, None]
    same = warp(classes, disparity[view].double(), view).values[:, 0]
    assert seen.float().mean() > 0.2
    agrees = (same - tensors[prefix[view] + 'classes']).abs() < 1e-6
    return agrees[seen].double().mean().item()


@pytest.mark.parametrize('doffs', [0.0, 5.0])
@pytest.mark.parametrize('name', TRANSFORMS)
def test_the_views_fit_each_other_after_every_transform(name, doffs):
    sample = TRANSFORMS[name](exact_pair(doffs=doffs), np.random.default_rng(1))
    for view in VIEWS:
        # Where classes meet, interpolation mixes their ids, and resized ids move by half a pixel.
        assert class_agreement(sample, view) > 0.93


@pytest.mark.parametrize('name', TRANSFORMS)
def test_confidence_stays_with_its_depth(name):
    pair = exact_pair()
    views = [replace(view, confidence=np.float32(view.depth > 0)) for view in (pair, pair.right)]
    sample = StereoSample.of(*views, pair.baseline_m)
    transformed = TRANSFORMS[name](sample, np.random.default_rng(2))
    for view in (transformed, transformed.right):
        assert 0 < view.confidence.mean() < 1
        np.testing.assert_array_equal(view.confidence, view.depth > 0)


@given(st.integers(0, 2**32 - 1))
def test_a_mirror_twice_is_no_mirror(seed):
    rng = np.random.default_rng(seed)
    left, right = (
        Sample(
            image=rng.integers(0, 256, (4, 6, 3), np.uint8),
            classes=rng.integers(0, 5, (4, 6), np.uint8),
            depth=rng.random((4, 6), np.float32),
            not_padding=rng.random((4, 6)) > 0.5,
            intrinsics=Intrinsics(5, 5, rng.random() * 6, 2),
            index=3,
            confidence=rng.random((4, 6), np.float32),
        )
        for _ in VIEWS
    )
    sample = StereoSample.of(left, right, 0.5)
    flip = MirrorPair(1.0)
    once = flip(sample, rng)
    twice = flip(once, rng).tensors()
    np.testing.assert_array_equal(once.image, right.image[:, ::-1])
    for name, value in sample.tensors().items():
        torch.testing.assert_close(twice[name], value, rtol=0, atol=1e-5)
    torch.testing.assert_close(once.tensors()['doffs'], sample.tensors()['doffs'])
    assert MirrorPair(0.0)(sample, rng) is sample


def test_both_views_are_cropped_alike_and_draw_no_more_than_one():
    sample, rng = exact_pair(), np.random.default_rng(7)
    cropped = EachView(RandomCrop(40, 50))(sample, rng)
    alone = np.random.default_rng(7)
    expected = RandomCrop(40, 50)(sample.left, alone)
    np.testing.assert_array_equal(cropped.image, expected.image)
    assert cropped.right.intrinsics == cropped.intrinsics
    assert rng.random() == alone.random()


class OnePair(PairSource):
    """A pair of grey images whose principal points are 2 px apart."""

    name = 'one'
    labels = scenes.LABELS
    depth_range_m = (1.0, 50.0)

    def __len__(self):
        return 1

    def key(self, index):
        return 'one'

    def read(self, index):
        grey = np.full((2, 3, 3), 99, np.uint8)
        published = {'left': np.full((2, 3), 4, np.uint8)}
        return StereoPair(
            grey, grey, Intrinsics(100, 100, 1, 1), 0.5, doffs_px=2.0, classes=published
        )


def test_pseudo_depth_is_that_of_the_disparity_and_counts_by_its_confidence(tmp_path):
    # With f·B = 50 px·m: 48 + 2 px is 1 m, 23 + 2 px 2 m; 60 px is nearer than the range begins.
    disparity = np.array([[48, 23, np.nan], [60, 3, 8]], np.float32)
    confidence = np.array([[1, 0.5, 1], [1, 0, 1]], np.float32)
    both = dict.fromkeys(VIEWS, disparity), dict.fromkeys(VIEWS, confidence)
    right = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_labels(label_path(tmp_path, 'one'), PseudoLabels(*both, {'right': right}))
    sample = PseudoLabelledPairs(OnePair(), tmp_path).read(0)
    np.testing.assert_allclose(sample.depth, [[1, 2, 0], [0, 10, 5]], rtol=1e-6)
    expected = [[1, 0.5, 0], [0, 0, 1]]
    np.testing.assert_allclose(sample.confidence, expected, atol=0.5 / 255)
    np.testing.assert_array_equal(sample.classes, np.full((2, 3), 4))
    np.testing.assert_array_equal(sample.right.classes, right)
    tensors = sample.tensors()
    assert (tensors['focal_baseline'].item(), tensors['doffs'].item()) == (50, 2)
    assert {'right_image', 'right_depth', 'right_confidence', 'confidence'} <= set(tensors)


def test_pairs_without_labels_name_the_command_that_makes_them(tmp_path):
    write_cityscapes(tmp_path)
    with pytest.raises(ValueError, match=r'000000_000019.npz. is missing.* 1 other of 2 pairs.*'):
        PseudoLabelledPairs(open_pairs('cityscapes', tmp_path), tmp_path / 'labels')
