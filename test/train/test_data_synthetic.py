import gc
import itertools
import json
import multiprocessing
import os
import pickle
import signal
import tracemalloc

import numpy as np
import pytest

from emu_model import scenes
from train.data import build, scene_cache, scene_set
from train.data.scene_cache import SHARD_FRAMES
from train.data.scene_set import SceneSet
from train.data.synthetic import FARTHEST_M, SyntheticDataset

SIZE = {'height': 18, 'width': 24}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tmp_path_factory.mktemp('rendered')


@pytest.fixture(scope='module')
def dataset(root):
    return SyntheticDataset(root, 'train', count=6, workers=1, **SIZE)


@pytest.fixture
def rendered(monkeypatch):
    """The indices rendered during a test, in order; no picture is drawn."""
    indices = []
    frame = scenes.render('indoor', 0, 4, 6)

    def render(self, index):
        indices.append(index)
        return frame

    monkeypatch.setattr(SceneSet, 'render', render)
    return indices


def test_frames_are_those_of_the_generator_with_no_depth_for_sky(dataset):
    for index in range(len(dataset)):
        sample = dataset.read(index)
        frame = dataset.scene_set.render(index)
        np.testing.assert_array_equal(sample.image, frame.image)
        np.testing.assert_array_equal(sample.classes, frame.classes)
        near = frame.depth <= FARTHEST_M
        np.testing.assert_array_equal(sample.depth, np.where(near, frame.depth, 0))
        assert sample.depth.dtype == np.float32
        assert sample.not_padding.all()
        assert sample.intrinsics == frame.intrinsics
        assert sample.index == index
    streets = [dataset.read(index) for index in range(0, len(dataset), 2)]
    sky = dataset.labels.id('sky')
    assert any((sample.classes == sky).any() for sample in streets)
    assert all((sample.depth[sample.classes == sky] == 0).all() for sample in streets)
    assert all(np.isfinite(scene_cache.read(dataset.folder, i)['depth']).all() for i in range(6))


def test_kinds_alternate(dataset):
    floor, road = dataset.labels.id('floor'), dataset.labels.id('road')
    for index in range(len(dataset)):
        absent = floor if index % 2 == 0 else road
        assert (dataset.read(index).classes != absent).all()


def test_no_scene_is_in_two_splits():
    first = sorted(scene_set.FIRST_SEEDS.values())
    assert all(b - a >= scene_set.MOST_FRAMES for a, b in itertools.pairwise(first))
    assert {'train', 'validation', 'test', 'pretrain'} == set(scene_set.FIRST_SEEDS)


def test_a_shifted_set_shows_the_same_scenes(root):
    plain = SyntheticDataset(root, 'test', count=2, workers=1, kinds=['street'], **SIZE)
    foggy = SyntheticDataset(
        root, 'test', count=2, workers=1, kinds=['street'], shift='fog', **SIZE
    )
    for index in range(2):
        clear, fog = plain.read(index), foggy.read(index)
        np.testing.assert_array_equal(clear.depth, fog.depth)
        np.testing.assert_array_equal(clear.classes, fog.classes)
        assert np.abs(clear.image.astype(int) - fog.image).mean() > 5


def test_a_fixed_focal_length_holds_for_all_frames(root):
    fixed = build('synthetic', root, 'train', count=3, workers=1, focal_length_px=20, **SIZE)
    assert [fixed.read(index).intrinsics.fx for index in range(3)] == [20.0, 20.0, 20.0]


def test_frames_are_rendered_once_and_more_begin_with_the_same(tmp_path, rendered):
    SyntheticDataset(tmp_path, count=3, workers=1, **SIZE)
    assert rendered == list(range(SHARD_FRAMES))
    SyntheticDataset(tmp_path, count=SHARD_FRAMES, workers=1, **SIZE)
    assert len(rendered) == SHARD_FRAMES
    SyntheticDataset(tmp_path, count=SHARD_FRAMES + 1, workers=1, **SIZE)
    assert rendered == list(range(2 * SHARD_FRAMES))


def test_every_file_is_on_the_disk_before_it_has_its_name(tmp_path, rendered, monkeypatch):
    synced = {}
    fsync = os.fsync

    def spy(descriptor):
        file = os.fstat(descriptor)
        assert not list(tmp_path.rglob('frames-*'))
        synced[file.st_ino] = file.st_size
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', spy)
    folder = SyntheticDataset(tmp_path, count=1, workers=1, **SIZE).folder
    files = [path.stat() for path in folder.rglob('*') if path.is_file()]
    assert len(files) == len(scene_cache.ARRAYS) + 1
    assert {file.st_ino: file.st_size for file in files} == synced
    # Whoever shares the cache may read the frames as they may the folder.
    assert {path.stat().st_mode for path in folder.iterdir() if path.is_dir()} == {
        folder.stat().st_mode
    }


def test_frames_of_another_generator_or_set_are_not_used(tmp_path, rendered, monkeypatch):
    folders = {SyntheticDataset(tmp_path, count=1, workers=1, **SIZE).folder}
    for options in (
        {'split': 'pretrain'},
        {'kinds': ['indoor']},
        {'height': 20},
        {'focal_length_px': 30},
        {'shift': 'fog'},
        {'shift': 'fog', 'shift_strength': 0.5},
    ):
        folders.add(SyntheticDataset(tmp_path, count=1, workers=1, **{**SIZE, **options}).folder)
    monkeypatch.setattr(scene_set, 'generator_hash', lambda: 'another')
    changed = SyntheticDataset(tmp_path, count=1, workers=1, **SIZE).folder
    folders.add(changed)
    assert len(folders) == 8
    assert len(rendered) == 8 * SHARD_FRAMES
    assert json.loads((changed / 'meta.json').read_text())['generator'] == 'another'


def test_the_generators_hash_follows_its_source(tmp_path, monkeypatch):
    scene_set.generator_hash.cache_clear()
    original = scene_set.generator_hash()
    copy = tmp_path / 'scenes'
    copy.mkdir()
    for file in scene_set.Path(scenes.__file__).parent.glob('*.py'):
        (copy / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(scenes, '__file__', str(copy / '__init__.py'))
    scene_set.generator_hash.cache_clear()
    assert scene_set.generator_hash() == original
    with (copy / 'street.py').open('a') as file:
        file.write('\n')
    scene_set.generator_hash.cache_clear()
    assert scene_set.generator_hash() != original
    scene_set.generator_hash.cache_clear()


def test_several_processes_render_what_one_does(root, tmp_path):
    count = SHARD_FRAMES + 1
    alone = SyntheticDataset(root, 'validation', count=count, workers=1, **SIZE)
    shared = SyntheticDataset(tmp_path, 'validation', count=count, workers=2, **SIZE)
    assert shared.folder.name == alone.folder.name
    files = sorted(file.relative_to(alone.folder) for file in alone.folder.rglob('*.npy'))
    assert len(files) == 2 * len(scene_cache.ARRAYS)
    for file in files:
        assert (alone.folder / file).read_bytes() == (shared.folder / file).read_bytes()


def _render_until_killed(root) -> None:
    draw, indices = SceneSet.render, []

    def render(self, index):
        indices.append(index)
        if len(indices) == SHARD_FRAMES + 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(self, index)

    SceneSet.render = render
    SyntheticDataset(root, count=2 * SHARD_FRAMES, workers=1, **SIZE)


def test_a_killed_rendering_goes_on_where_it_stood(root, tmp_path, monkeypatch):
    whole = SyntheticDataset(root, count=2 * SHARD_FRAMES, workers=1, **SIZE)
    # Spawned: a fork of a process with threads, as a test session is one, may fail in any way.
    killed = multiprocessing.get_context('spawn').Process(
        target=_render_until_killed, args=[tmp_path]
    )
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL

    draw, indices = SceneSet.render, []

    def render(self, index):
        indices.append(index)
        return draw(self, index)

    monkeypatch.setattr(SceneSet, 'render', render)
    resumed = SyntheticDataset(tmp_path, count=2 * SHARD_FRAMES, workers=1, **SIZE)
    assert len(indices) == SHARD_FRAMES
    assert indices[0] % SHARD_FRAMES == 0
    for index in (0, SHARD_FRAMES - 1, SHARD_FRAMES, 2 * SHARD_FRAMES - 1):
        np.testing.assert_array_equal(resumed.read(index).image, whole.read(index).image)
        np.testing.assert_array_equal(resumed.read(index).depth, whole.read(index).depth)


def test_a_failed_rendering_leaves_no_piece_behind(tmp_path, monkeypatch):
    def save(file, array):
        raise OSError('No space left on device')

    monkeypatch.setattr(scene_cache.np, 'save', save)
    with pytest.raises(OSError, match='No space left'):
        SyntheticDataset(tmp_path, count=1, workers=1, **SIZE)
    assert [file.name for file in tmp_path.rglob('*') if file.is_file()] == ['meta.json']


def test_two_renderings_into_one_folder_do_not_disturb_each_other(tmp_path, rendered, monkeypatch):
    dataset = SyntheticDataset(tmp_path, count=1, workers=1, **SIZE)
    before = dataset.read(0).image
    monkeypatch.setattr(scene_cache, '_has', lambda *_: False)  # as it was when both began
    scene_cache._render_shard(dataset.scene_set, dataset.folder, 0, scene_cache.ARRAYS)
    assert len(rendered) == 2 * SHARD_FRAMES
    np.testing.assert_array_equal(dataset.read(0).image, before)
    assert not list(dataset.folder.glob('.partial-*'))


def test_what_another_process_has_rendered_meanwhile_is_not_rendered_again(tmp_path, monkeypatch):
    frame, indices = scenes.render('indoor', 0, 4, 6), []

    def render_all_at_the_first(self, index):
        indices.append(index)
        if len(indices) == 1:
            SyntheticDataset(tmp_path, count=3 * SHARD_FRAMES, workers=1, **SIZE)
        return frame

    monkeypatch.setattr(SceneSet, 'render', render_all_at_the_first)
    SyntheticDataset(tmp_path, count=3 * SHARD_FRAMES, workers=1, **SIZE)
    # The inner one knows nothing of the shard that the outer one has begun.
    assert len(indices) == 4 * SHARD_FRAMES


def test_pieces_of_a_rendering_killed_long_ago_are_removed(tmp_path, rendered):
    folder = SyntheticDataset(tmp_path, count=1, workers=1, **SIZE).folder
    for name, age_s in (('.partial-old', 7200), ('.partial-young', 60)):
        (folder / name).mkdir()
        then = scene_cache.time.time() - age_s
        os.utime(folder / name, (then, then))
    SyntheticDataset(tmp_path, count=SHARD_FRAMES + 1, workers=1, **SIZE)
    assert [piece.name for piece in folder.glob('.partial-*')] == ['.partial-young']


def test_nothing_read_is_held_in_memory(tmp_path, monkeypatch):
    frame = scenes.render('indoor', 0, 60, 80)
    monkeypatch.setattr(SceneSet, 'render', lambda self, index: frame)
    dataset = SyntheticDataset(tmp_path, count=SHARD_FRAMES, workers=1, height=60, width=80)
    tracemalloc.start()
    try:
        for index in range(SHARD_FRAMES):
            dataset.read(index)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two of the 32 frames: what Python keeps of the first reads, such as file names, is less.
    frame_bytes = 60 * 80 * (3 + 1 + 4 + 1)
    assert held < 2 * frame_bytes
    assert len(pickle.dumps(dataset)) < frame_bytes


def test_scenes_are_in_the_cache_folder_by_default(tmp_path, monkeypatch, rendered):
    monkeypatch.setenv('EMUFORMER_CACHE', str(tmp_path))
    dataset = SyntheticDataset(count=1, workers=1, **SIZE)
    assert dataset.folder.parent == tmp_path / 'scenes'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'split': 'val'}, "no split 'val': choose of train, validation"),
        ({'kinds': ['office']}, 'not of street, indoor'),
        ({'kinds': []}, 'give one or more'),
        ({'shift': 'rain'}, "no shift 'rain': choose of fog"),
        ({'count': 0}, '0 synthetic frames were asked for: 1 to 10000000'),
    ],
)
def test_unknown_parameters_are_refused_before_anything_is_rendered(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticDataset(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_an_index_beyond_the_end_is_an_error(dataset):
    assert dataset[-1]['index'] == len(dataset) - 1
    with pytest.raises(IndexError):
        dataset[len(dataset)]
