"""--rectified, --output-size, --select and --compare, as users run them."""

import base64
import json
import re

import cv2
import numpy as np
import pytest
import torch
from evaluated import (
    CAMERA,
    CAMERA_INFO,
    DEPTH,
    HEIGHT,
    LABELS,
    WIDTH,
    depth_mm,
    evaluate,
    labels,
    metrics,
    picture,
    rows_without_times,
    samples,
    stamp_ns,
)
from recordings import IMAGE, INFO, Sample, camera_info, image, write_ros2

from emu_model import checkpoint, sampling
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.labels import numbered
from emuformer_ros.bag_evaluation import gallery
from emuformer_ros.bag_evaluation.frame_table import column, read_table
from emuformer_ros.bag_evaluation.frames import read_frames
from emuformer_ros.bag_evaluation.job import Job
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.part_store import PartStore
from emuformer_ros.bag_evaluation.plan import plan_bags
from emuformer_ros.bag_evaluation.selection import Selection, write_selection
from emuformer_ros.bags.reading import Bag, decode
from emuformer_ros.evaluate_bag import FAILED, OK

FRAMES = 6


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_ros2(tmp_path_factory.mktemp('bags') / 'bag', samples(FRAMES))


@pytest.fixture(scope='module')
def arguments(checkpoints):
    path = checkpoints['SegDepthFormer']
    return ('--checkpoint', path, '--engine', 'torch', '--device', 'cpu', '--no-maps')


@pytest.fixture(scope='module')
def dropout_checkpoint(tmp_path_factory):
    """A random network that samples."""
    torch.manual_seed(0)
    labels = numbered(7)
    info = CheckpointInfo(
        'SegDepthFormer', 'mit_b0', 256, head_dropout=0.5, method='mc_dropout', num_samples=3,
        label_set=labels.name, class_names=labels.class_names, palette=labels.palette,
        input_size=(64, 96),
    )  # fmt: skip
    path = tmp_path_factory.mktemp('dropout') / 'dropout.safetensors'
    checkpoint.save(sampling.MonteCarloDropout.from_info(info), info, path)
    return path


@pytest.mark.parametrize(('options', 'focal_px'), [((), 60), (('--rectified',), 90)])
def test_depth_of_rectified_images_goes_by_p(options, focal_px, arguments, tmp_path):
    recorded = samples(1, truth=False)
    for sample in recorded:
        if sample.topic == CAMERA_INFO:
            sample.message.p[[0, 5]] = 90
    bag = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(bag, '--output', tmp_path / 'out', *options, *arguments[:-1]) == OK
    (row,) = read_table(tmp_path / 'out' / 'frames.csv')
    # The checkpoint is for 80 px at 96x64, the camera's image has 64x48.
    at_network_size = focal_px * np.sqrt((96 / 64) * (64 / 48))
    np.testing.assert_allclose(row['depth_scale'], at_network_size / 80, rtol=1e-6)
    with Bag(tmp_path / 'out' / 'maps.mcap') as maps:
        (message,) = maps.messages(['/perception/depth/camera_info'])
    assert decode(message).k[[0, 4]].tolist() == [focal_px] * 2


def wide(values):
    """What is 48x64 as 96x192, which is wider than the network's 64x96."""
    return np.tile(values, (2, 3, 1)[: values.ndim])


def test_maps_of_network_size_are_compared_with_truth_of_the_cameras_shape(
    checkpoints, arguments, tmp_path
):
    recorded = []
    for index in range(2):
        stamp = stamp_ns(index)
        recorded += [
            Sample(CAMERA, IMAGE, stamp, image(wide(picture(index)), 'rgb8', stamp)),
            Sample(CAMERA_INFO, INFO, stamp, camera_info(stamp, 60.0, 96, 192)),
            Sample(DEPTH, IMAGE, stamp, image(wide(depth_mm(index)), '16UC1', stamp)),
            Sample(LABELS, IMAGE, stamp, image(wide(labels(index)), 'mono8', stamp)),
        ]
    bag = write_ros2(tmp_path / 'bag', recorded)
    options = ('--output-size', 'network', '--output', tmp_path / 'out')
    assert evaluate(bag, *options, *arguments) == OK
    found = metrics(tmp_path / 'out')
    assert (found['frames_with_labels'], found['frames_with_depth']) == (2, 2)
    assert found['problems'] == {}
    engine = create_engine(checkpoints['SegDepthFormer'], 'torch', 'cpu')
    # The pixels of the camera that the middles of the maps' pixels lie in.
    nearest = np.ix_((2 * np.arange(64) + 1) * 96 // 128, (2 * np.arange(96) + 1) * 192 // 192)
    # The checkpoint is for 80 px at 96x64.
    scale = 60 * np.sqrt((96 / 192) * (64 / 96)) / 80
    for index, row in enumerate(read_table(tmp_path / 'out' / 'frames.csv')):
        expected = engine.predict(wide(picture(index)), None, (64, 96))
        truth, target = wide(labels(index))[nearest], wide(depth_mm(index))[nearest] / 1000
        right = expected.classes[truth != 255] == truth[truth != 255]
        np.testing.assert_allclose(row['pixel_accuracy'], right.mean(), rtol=2e-5)
        counted = (target > 0) & (target <= 8 * scale)
        errors = scale * expected.depth[counted].astype(float) - target[counted]
        np.testing.assert_allclose(row['rmse'], np.sqrt(np.square(errors).mean()), rtol=2e-5)


@pytest.mark.parametrize(('by', 'name'), [('semantic', 'entropy'), ('depth', 'depth_std')])
def test_selected_frames_are_written_with_a_manifest(by, name, bag, arguments, tmp_path):
    options = ('--select', 2, '--by', by, '--output', tmp_path)
    assert evaluate(bag, *options, *arguments) == OK
    manifest = json.loads((tmp_path / 'selection' / 'manifest.json').read_text())
    means = column(read_table(tmp_path / 'frames.csv'), f'{name}_mean')
    first, second = manifest['frames']
    assert first['frame'] == int(np.argmax(means))
    np.testing.assert_allclose(first['uncertainty'], means.max(), rtol=1e-6)
    assert (first['rank'], second['rank'], first['distance']) == (1, 2, None)
    assert (first['topic'], first['bag'], manifest['by']) == (CAMERA, str(bag), by)
    assert 'farthest-first' in manifest['method']
    for frame in manifest['frames']:
        stored = cv2.imread(str(tmp_path / 'selection' / frame['file']))[..., ::-1]
        np.testing.assert_array_equal(stored, picture(frame['frame']))


def test_selected_frames_are_read_and_written_one_by_one_without_the_network(
    bag, tmp_path, monkeypatch
):
    options = Options((bag,))
    (plan,) = plan_bags(options, tmp_path / 'repaired')
    rows = [
        {'bag': plan.name, 'frame': n, 'stamp_ns': n, 'time_s': 0.0, 'entropy_mean': FRAMES - n}
        for n in range(FRAMES)
    ]
    thumbnails = np.stack([picture(n)[:6, :8] for n in range(FRAMES)])
    folder = tmp_path / 'selection'
    written = []

    def read_and_look(*arguments):
        written.append(len(list(folder.glob('*.png'))))
        return read_frames(*arguments)

    monkeypatch.setattr(gallery, 'read_frames', read_and_look)
    job = Job(tmp_path, options, [plan], [], PartStore(tmp_path), perception=None, started_s=0.0)
    manifest = write_selection(folder, rows, thumbnails, Selection(4, 'semantic'), job)
    assert written == [0, 1, 2, 3]
    for frame in manifest['frames']:
        stored = cv2.imread(str(folder / frame['file']))[..., ::-1]
        np.testing.assert_array_equal(stored, picture(frame['frame']))


def test_a_single_network_cannot_select_by_epistemic_uncertainty(bag, arguments, tmp_path, capsys):
    options = ('--select', 2, '--by', 'epistemic', '--output', tmp_path)
    assert evaluate(bag, *options, *arguments) == FAILED
    assert 'cannot separate its epistemic share' in capsys.readouterr().out


def test_a_task_that_the_network_lacks_cannot_be_selected_by(bag, checkpoints, tmp_path, capsys):
    options = ('--select', 2, '--by', 'depth', '--checkpoint', checkpoints['SegFormer'])
    assert evaluate(bag, '--output', tmp_path, *options) == FAILED
    assert '--by depth needs a network with that task' in capsys.readouterr().out


def test_a_network_that_samples_selects_by_epistemic_uncertainty_and_repeats_itself(
    bag, dropout_checkpoint, tmp_path
):
    options = ('--select', 2, '--by', 'epistemic', '--checkpoint', dropout_checkpoint)
    for name in ('first', 'second'):
        assert evaluate(bag, '--output', tmp_path / name, *options) == OK
    rows = read_table(tmp_path / 'first' / 'frames.csv')
    assert rows_without_times(tmp_path / 'first') == rows_without_times(tmp_path / 'second')
    epistemic, total = column(rows, 'mutual_information_mean'), column(rows, 'entropy_mean')
    assert (epistemic > 0).all()
    assert (epistemic < total).all()
    spread, std = column(rows, 'depth_epistemic_std_mean'), column(rows, 'depth_std_mean')
    assert (spread > 0).all()
    assert (spread < std).all()
    score = (epistemic / np.median(epistemic) + spread / np.median(spread)) / 2
    manifest = json.loads((tmp_path / 'first' / 'selection' / 'manifest.json').read_text())
    assert manifest['frames'][0]['frame'] == int(np.argmax(score))


def test_two_evaluations_are_put_side_by_side(bag, arguments, tmp_path):
    assert evaluate(bag, '--output', tmp_path / 'old', *arguments) == OK
    options = ('--compare', tmp_path / 'old', '--output', tmp_path / 'new')
    assert evaluate(bag, *options, '--network-size', '32x64', *arguments) == OK
    page = (tmp_path / 'new' / 'report.html').read_text()
    assert 'Before and now' in page
    assert 'Frames that changed most' in page
    assert 'The evaluation before left no maps' in page
    assert f'{FRAMES} of the {FRAMES} frames of now are among them' in page
    assert ', before</figcaption>' not in page
    before, now = metrics(tmp_path / 'old'), metrics(tmp_path / 'new')
    assert f'{before["semantic"]["miou"]:.3g}' in page
    assert f'{now["semantic"]["miou"]:.3g}' in page


def test_maps_of_before_are_shown_beside_those_of_now(bag, arguments, tmp_path):
    with_maps = arguments[:-1]
    old, new = tmp_path / 'old', tmp_path / 'new'
    assert evaluate(bag, '--output', old, '--network-size', '32x64', *with_maps) == OK
    assert evaluate(bag, '--compare', old, '--output', new, *with_maps) == OK
    page = (new / 'report.html').read_text()
    assert 'left no maps' not in page
    shown = [int(frame) for frame in re.findall('alt="Classes, before of frame ([0-9]+)"', page)]
    assert len(shown) == 4
    before, now = recorded_overlays(old), recorded_overlays(new)
    for frame in shown:
        for when, own, other in (('before', before, now), ('now', now, before)):
            drawn = picture_on(page, f'Classes, {when} of frame {frame}')
            error, other_error = (np.abs(drawn - each[frame]).mean() for each in (own, other))
            assert error < other_error / 2
    for title in ('Semantic uncertainty', 'Wrong classes', 'Depth', 'Depth uncertainty'):
        assert len(re.findall(f'alt="{title}, before of frame', page)) == 4
    assert 'alt="Camera, before' not in page


def test_maps_of_before_that_cannot_be_read_are_said(bag, arguments, tmp_path):
    assert evaluate(bag, '--output', tmp_path / 'old', *arguments[:-1]) == OK
    maps = tmp_path / 'old' / 'maps.mcap'
    maps.write_bytes(maps.read_bytes()[: maps.stat().st_size // 2])
    options = ('--compare', tmp_path / 'old', '--output', tmp_path / 'new')
    assert evaluate(bag, *options, '--network-size', '32x64', *arguments) == OK
    page = (tmp_path / 'new' / 'report.html').read_text()
    assert 'Maps of the evaluation before cannot be shown' in page


def recorded_overlays(output):
    """The overlays of all frames, RGB int (N, H, W, 3)."""
    with Bag(output / 'maps.mcap') as maps:
        found = [decode(m).data for m in maps.messages(['/perception/semantic/overlay'])]
    return np.reshape(found, (-1, HEIGHT, WIDTH, 3)).astype(int)


def picture_on(page, title):
    """A picture of the report by its alternative text, RGB int (H, W, 3)."""
    data = re.search(f'src="data:image/jpeg;base64,([^"]*)" alt="{title}"', page)[1]
    stored = np.frombuffer(base64.b64decode(data), np.uint8)
    return cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def test_it_is_said_when_no_frame_is_in_both(bag, arguments, tmp_path):
    other = write_ros2(tmp_path / 'other', samples(2, first=50))
    assert evaluate(bag, '--output', tmp_path / 'old', *arguments) == OK
    options = ('--compare', tmp_path / 'old', '--output', tmp_path / 'new')
    assert evaluate(other, *options, *arguments) == OK
    page = (tmp_path / 'new' / 'report.html').read_text()
    assert 'No frame of now is among them' in page
    assert 'Frames that changed most' not in page


def test_what_holds_no_results_cannot_be_compared_with(bag, arguments, tmp_path, capsys):
    options = ('--compare', tmp_path, '--output', tmp_path / 'new')
    assert evaluate(bag, *options, *arguments) == FAILED
    assert 'has no results to compare with' in capsys.readouterr().out
