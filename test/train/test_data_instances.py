"""Ids of objects from disk to the offsets a network is trained on."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu_model import scenes
from emu_model.geometry import Intrinsics
from train.data import build, scene_cache
from train.data.cityscapes import CityscapesDataset
from train.data.dataset import DatasetError, EvaluationDataset
from train.data.sample import Sample
from train.data.scene_cache import SHARD_FRAMES, WITHOUT_INSTANCES
from train.data.scene_set import SceneSet
from train.data.synthetic import SyntheticDataset
from train.data.transforms import HorizontalFlip, RandomCrop, RandomScale, Resize

SIZE = {'height': 18, 'width': 24}
SEEDS = st.integers(0, 2**32)


def sample(height=30, width=40, seed=0):
    """Boxes with ids; class and depth say the id too, so that misalignment shows."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((height, width), np.uint16)
    for number in range(1, 6):
        top, left = rng.integers(0, (height - 4, width - 4))
        ids[top : top + rng.integers(3, 12), left : left + rng.integers(3, 12)] = 1000 * number
    return Sample(
        image=np.repeat((ids // 100).astype(np.uint8)[..., None], 3, axis=2),
        classes=(ids // 1000).astype(np.uint8),
        depth=1 + ids.astype(np.float32),
        not_padding=np.ones(ids.shape, bool),
        intrinsics=Intrinsics(50.0, 50.0, 20.0, 15.0),
        index=0,
        instances=ids,
    )


@given(SEEDS)
def test_ids_stay_aligned_through_scale_crop_and_flip(seed):
    rng = np.random.default_rng(seed)
    after = sample(seed=seed)
    for transform in (
        Resize(33, 41),
        RandomScale(0.5, 2),
        RandomCrop(25, 50),
        HorizontalFlip(0.5),
    ):
        after = transform(after, rng)
    assert after.instances.dtype == np.uint16
    inside = after.not_padding
    np.testing.assert_array_equal(after.instances[inside] // 1000, after.classes[inside])
    assert not after.instances[~inside].any()


@given(SEEDS)
def test_offsets_are_those_of_the_transformed_objects(seed):
    rng = np.random.default_rng(seed)
    after = HorizontalFlip(0.5)(RandomCrop(20, 26)(sample(seed=seed), rng), rng)
    tensors = after.tensors()
    ids, (right, down) = tensors['instances'].numpy(), tensors['offsets'].numpy()
    np.testing.assert_array_equal(ids, after.instances)
    for number in np.unique(ids):
        rows, columns = np.nonzero(ids == number)
        # The centroid of what the crop still shows.
        centre = (columns.mean(), rows.mean()) if number else (columns, rows)
        np.testing.assert_allclose(columns + right[rows, columns], centre[0], atol=1e-4)
        np.testing.assert_allclose(rows + down[rows, columns], centre[1], atol=1e-4)


@given(SEEDS)
def test_a_flip_mirrors_the_offsets(seed):
    before = sample(seed=seed)
    flipped = HorizontalFlip(1.0)(before, np.random.default_rng(0)).tensors()['offsets']
    plain = before.tensors()['offsets'].flip(2)
    np.testing.assert_allclose(flipped[0], -plain[0], atol=1e-4)
    np.testing.assert_allclose(flipped[1], plain[1], atol=1e-4)


def test_a_sample_without_ids_has_no_offsets():
    plain = dataclasses.replace(sample(), instances=None)
    rng = np.random.default_rng(0)
    for transform in (Resize(33, 41), RandomScale(0.5, 2), RandomCrop(25, 50), HorizontalFlip(1)):
        plain = transform(plain, rng)
    assert not {'instances', 'offsets'} & set(plain.tensors())


# Synthetic scenes


def test_synthetic_ids_are_those_of_the_generator(tmp_path):
    dataset = SyntheticDataset(tmp_path, count=4, workers=1, instances=True, **SIZE)
    frames = [dataset.scene_set.render(index) for index in range(4)]
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(dataset.read(index).instances, frame.instances)
    assert any(frame.instances.any() for frame in frames)
    names = [dataset.labels.class_names[thing] for thing in dataset.things]
    assert tuple(names) == scenes.THINGS
    assert SyntheticDataset(tmp_path, count=4, workers=1, **SIZE).read(0).instances is None


def test_a_frame_that_fills_up_a_batch_has_no_objects(tmp_path):
    dataset = SyntheticDataset(tmp_path, count=2, workers=1, instances=True, **SIZE)
    frames = EvaluationDataset(dataset)
    assert frames[1, True]['instances'].any()
    assert not frames[1, False]['instances'].any()


def test_shards_without_ids_get_them_and_keep_the_rest(tmp_path, monkeypatch):
    rendered = []
    render = SceneSet.render

    def count(self, index):
        rendered.append(index)
        return render(self, index)

    monkeypatch.setattr(SceneSet, 'render', count)
    folder = SyntheticDataset(tmp_path, count=2, workers=1, **SIZE).folder
    (shard,) = folder.glob('frames-*')
    (shard / 'instances.npy').unlink()
    before = {file.name: file.stat().st_mtime_ns for file in shard.iterdir()}
    assert {name.removesuffix('.npy') for name in before} >= set(WITHOUT_INSTANCES)
    SyntheticDataset(tmp_path, count=2, workers=1, **SIZE)
    assert len(rendered) == SHARD_FRAMES
    dataset = SyntheticDataset(tmp_path, count=2, workers=1, instances=True, **SIZE)
    assert len(rendered) == 2 * SHARD_FRAMES
    assert {name: (shard / name).stat().st_mtime_ns for name in before} == before
    frame = render(dataset.scene_set, 1)
    np.testing.assert_array_equal(dataset.read(1).instances, frame.instances)
    assert set(scene_cache.read(folder, 0)) == set(scene_cache.ARRAYS)


# Cityscapes


@pytest.fixture
def cityscapes(tmp_path):
    """One frame: two cars, a group of persons, a caravan, road."""
    label_ids = np.full((16, 32), 7, np.uint8)
    instance_ids = label_ids.astype(np.uint16)
    for rows, label, number in (
        (slice(0, 4), 26, 26000),
        (slice(4, 7), 26, 26001),
        (slice(8, 10), 24, 24),
        (slice(12, 14), 29, 29000),
    ):
        label_ids[rows, 4:20], instance_ids[rows, 4:20] = label, number
    camera = {
        'extrinsic': {'baseline': 0.2},
        'intrinsic': {'fx': 2262.5, 'fy': 2262.5, 'u0': 1096.9, 'v0': 513.1},
    }
    files = {
        'leftImg8bit/{}leftImg8bit.png': np.zeros((16, 32, 3), np.uint8),
        'gtFine/{}gtFine_labelIds.png': label_ids,
        'gtFine/{}gtFine_instanceIds.png': instance_ids,
        'disparity/{}disparity.png': np.full((16, 32), 3000, np.uint16),
        'camera/{}camera.json': camera,
    }
    for name, content in files.items():
        path = tmp_path / name.format('train/ulm/ulm_000000_000019_')
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            path.write_text(json.dumps(content))
        else:
            cv2.imwrite(str(path), content)
    return tmp_path, instance_ids


def test_cityscapes_ids_are_the_published_ones_and_groups_have_none(cityscapes):
    root, instance_ids = cityscapes
    frame = build('cityscapes', root, instances=True).read(0)
    expected = np.where(instance_ids >= 1000, instance_ids, 0)
    np.testing.assert_array_equal(frame.instances, expected)
    assert frame.instances.dtype == np.uint16
    names = [CityscapesDataset.labels.class_names[thing] for thing in CityscapesDataset.things]
    assert names == ['person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle']
    assert build('cityscapes', root).read(0).instances is None


def test_missing_instance_ids_are_named_where_they_are_needed(cityscapes):
    root, _ = cityscapes
    (file,) = root.glob('gtFine/*/*/*_instanceIds.png')
    file.unlink()
    assert len(build('cityscapes', root)) == 1
    with pytest.raises(
        DatasetError, match=r"ulm_000000_000019_gtFine_instanceIds.png' is missing"
    ):
        build('cityscapes', root, instances=True)


def test_a_data_set_without_ids_says_so(tmp_path):
    with pytest.raises(ValueError, match="data set 'nyuv2' has no ids of objects"):
        build('nyuv2', tmp_path, instances=True)
