"""What an evaluation leaves, against the engine and the metrics on the same frames."""

import re
import subprocess
import sys

import numpy as np
import pytest
from evaluated import (
    CAMERA,
    DEPTH,
    HEIGHT,
    LABELS,
    WIDTH,
    depth_mm,
    evaluate,
    labels,
    metrics,
    metrics_without_times,
    picture,
    rows_without_times,
    samples,
    stamp_ns,
)
from recordings import COMPRESSED, ROS1, Sample, compressed, split, write_ros1, write_ros2
from rosbags.rosbag2 import CompressionMode, StoragePlugin

import emu_model
from emu_model.engines import create_engine
from emu_model.overlay import blend_classes
from emu_model.report import count_macs
from emuformer_ros.bag_evaluation import plan
from emuformer_ros.bag_evaluation.frame_table import column, read_table
from emuformer_ros.bags.reading import Bag, decode, header_stamp_ns
from emuformer_ros.evaluate_bag import FAILED

FRAMES = 6

# The checkpoint is for 80 px at 96x64, the camera has 60 px at 64x48.
SCALE = 60 * np.sqrt((96 / 64) * (64 / 48)) / 80

# Written with 7 digits; float32 sums.
CLOSE = {'rtol': 2e-5, 'atol': 1e-6}


@pytest.fixture(scope='module')
def checkpoint(checkpoints):
    return checkpoints['SegDepthFormer']


@pytest.fixture(scope='module')
def engine(checkpoint):
    return create_engine(checkpoint, 'torch', 'cpu')


@pytest.fixture(scope='module')
def arguments(checkpoint):
    return ('--checkpoint', checkpoint, '--engine', 'torch', '--device', 'cpu')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_ros2(tmp_path_factory.mktemp('bags') / 'bag', samples(FRAMES))


@pytest.fixture(scope='module')
def output(bag, arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp('results') / 'whole'
    assert evaluate(bag, '--output', output, *arguments) == 0
    return output


def test_a_row_has_the_means_and_quantiles_of_the_engine(output, engine):
    rows = read_table(output / 'frames.csv')
    assert [row['frame'] for row in rows] == list(range(FRAMES))
    assert [row['stamp_ns'] for row in rows] == [stamp_ns(i) for i in range(FRAMES)]
    np.testing.assert_allclose(column(rows, 'time_s'), np.arange(FRAMES) / 10)
    for index, row in enumerate(rows):
        expected = engine.predict(picture(index))
        for name, scale in (('entropy', 1), ('depth_std', SCALE)):
            values = scale * getattr(expected, name)
            np.testing.assert_allclose(row[f'{name}_mean'], values.mean(), **CLOSE)
            for suffix, quantile in (('p50', 0.5), ('p90', 0.9), ('p99', 0.99)):
                wanted = np.quantile(values, quantile)
                np.testing.assert_allclose(row[f'{name}_{suffix}'], wanted, **CLOSE)
        known = (expected.depth >= 1) & (expected.depth <= 8)
        np.testing.assert_allclose(row['depth_known'], known.mean(), **CLOSE)
        np.testing.assert_allclose(row['depth_scale'], SCALE, rtol=1e-6)


def test_errors_of_a_frame_are_those_of_a_plain_loop(output, engine):
    for index, row in enumerate(read_table(output / 'frames.csv')):
        expected = engine.predict(picture(index))
        truth, target = labels(index), depth_mm(index) / 1000
        right = expected.classes[truth != 255] == truth[truth != 255]
        np.testing.assert_allclose(row['pixel_accuracy'], right.mean(), **CLOSE)
        # Measurements beyond the checkpoint's 8 m, seen by this camera, do not count.
        counted = (target > 0) & (target <= 8 * SCALE)
        predicted = SCALE * expected.depth[counted].astype(float)
        errors = predicted - target[counted]
        np.testing.assert_allclose(row['rmse'], np.sqrt(np.square(errors).mean()), **CLOSE)
        relative = np.abs(errors) / target[counted]
        np.testing.assert_allclose(row['abs_rel'], relative.mean(), **CLOSE)


def test_pooled_figures_are_those_of_a_plain_loop(output, engine):
    found = metrics(output)
    matrix = np.zeros((7, 7), int)
    square, pixels = 0.0, 0
    for index in range(FRAMES):
        expected = engine.predict(picture(index))
        truth, target = labels(index), depth_mm(index) / 1000
        np.add.at(matrix, (truth[truth != 255], expected.classes[truth != 255]), 1)
        counted = (target > 0) & (target <= 8 * SCALE)
        square += np.square(SCALE * expected.depth[counted].astype(float) - target[counted]).sum()
        pixels += counted.sum()
    both = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - both
    np.testing.assert_allclose(found['semantic']['miou'], (both / union).mean(), **CLOSE)
    np.testing.assert_allclose(found['depth']['rmse'], np.sqrt(square / pixels), **CLOSE)
    assert found['depth']['pixels'] == pixels
    assert found['frames'] == found['frames_with_depth'] == found['frames_with_labels'] == FRAMES
    assert sum(row['pixels'] for row in found['depth_errors']['by_distance']) == pixels
    figures = ['pixels', 'rmse', 'mean_absolute_error', 'abs_rel', 'delta1', 'predicted_std']
    for group, head in (('by_distance', ['from_m', 'to_m']), ('by_class', ['name'])):
        assert all(list(row) == [*head, *figures] for row in found['depth_errors'][group])
    assert found['bags'][0]['depth_topic'] == DEPTH
    assert found['bags'][0]['label_topic'] == LABELS


def test_figures_have_the_keys_of_the_evaluation_on_data_sets(output, checkpoint):
    found = metrics(output)
    shared = (
        'network method backbone depth_loss seed semantic semantic_all_pixels depth '
        'depth_all_pixels instance shift_auroc inference_ms parameters macs'
    )
    assert set(shared.split()) <= set(found)
    network = emu_model.load(checkpoint)
    assert found['parameters'] == sum(weight.numel() for weight in network.parameters())
    assert found['macs'] == count_macs(network, (64, 96))
    low, high = found['inference_ms']['quartiles']
    assert low <= found['inference_ms']['median'] <= high <= found['inference_ms']['p95']
    assert {'miou', 'ece', 'aurc', 'pavpu'} <= set(found['semantic'])
    assert {'rmse', 'delta1', 'ause', 'coverage_1sigma'} <= set(found['depth'])
    assert set(found['curves']['semantic']) >= {'reliability_15', 'risk_coverage'}
    assert 'sparsification' in found['curves']['depth']


def test_the_maps_are_recorded_with_the_stamps_and_values_of_the_frames(output, engine):
    info = engine.info
    with Bag(output / 'maps.mcap') as bag:
        messages = {}
        for message in bag.messages():
            messages.setdefault(message.topic, []).append(message)
    assert set(messages) >= {
        f'/perception/{name}'
        for name in ('semantic/image', 'semantic/uncertainty', 'semantic/overlay',
                     'depth/image', 'depth/uncertainty', 'depth/camera_info')
    }  # fmt: skip
    for found in messages.values():
        stamps = [stamp_ns(i) for i in range(FRAMES)]
        assert [m.time_ns for m in found] == stamps
        assert [header_stamp_ns(m.data) for m in found] == stamps
        assert {decode(m).header.frame_id for m in found} == {'camera_optical_frame'}
    for index in range(FRAMES):
        expected = engine.predict(picture(index))
        maps = {
            topic: decode(found[index])
            for topic, found in messages.items()
            if not topic.endswith('camera_info')
        }
        classes = maps['/perception/semantic/image']
        np.testing.assert_array_equal(pixels(classes, np.uint8), expected.classes)
        overlay = blend_classes(picture(index), expected.classes, info.palette, 0.5)
        shown = pixels(maps['/perception/semantic/overlay'], np.uint8)
        np.testing.assert_array_equal(shown.reshape(HEIGHT, WIDTH, 3), overlay)
        entropy = pixels(maps['/perception/semantic/uncertainty'], np.float32)
        np.testing.assert_allclose(entropy, expected.entropy, **CLOSE)
        depth = pixels(maps['/perception/depth/image'], np.float32)
        gated = np.where((expected.depth >= 1) & (expected.depth <= 8), expected.depth, np.nan)
        np.testing.assert_allclose(depth, SCALE * gated, **CLOSE)
    scaled = decode(messages['/perception/depth/camera_info'][0])
    assert (scaled.width, scaled.height, scaled.k[0]) == (WIDTH, HEIGHT, 60.0)


def pixels(message, dtype):
    shape = (message.height, -1)
    return np.ascontiguousarray(message.data).view(dtype).reshape(shape)


def test_the_report_is_one_page_that_fetches_nothing(output):
    page = (output / 'report.html').read_text()
    assert "default-src 'none'; img-src data:" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert not re.search(r'url\((?!#)', page)
    assert '<script' not in page
    titles = (
        'Over time;Most uncertain frames;Most certain frames;Reliability;Risk and coverage;'
        'Sparsification;By distance;By class;Speed'
    )
    for title in titles.split(';'):
        assert title in page
    identifiers = re.findall(r' id="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))


def test_the_same_recording_gives_the_same_files_but_for_times(bag, arguments, output, tmp_path):
    assert evaluate(bag, '--output', tmp_path / 'again', *arguments) == 0
    assert rows_without_times(tmp_path / 'again') == rows_without_times(output)
    assert metrics_without_times(tmp_path / 'again') == metrics_without_times(output)
    maps = [(folder / 'maps.mcap').read_bytes() for folder in (output, tmp_path / 'again')]
    assert maps[0] == maps[1]
    before, after = (
        strip_times((folder / 'report.html').read_text())
        for folder in (output, tmp_path / 'again')
    )
    assert before == after


def strip_times(page):
    """A report without its card and section on speed."""
    page = re.sub(r'<div class="name">Inference</div>.*?</div>\s*</div>', '', page, flags=re.S)
    return re.sub(r'<h2>Speed</h2>.*?</section>', '', page, flags=re.S)


@pytest.mark.parametrize('kind', ['sqlite', 'split', 'compressed', 'ros1'])
def test_every_kind_of_recording_gives_the_same_rows(kind, tmp_path, arguments, output):
    store = {'store': ROS1} if kind == 'ros1' else {}
    recorded = samples(FRAMES, **store)
    path = {
        'sqlite': lambda: write_ros2(tmp_path / 'bag', recorded, StoragePlugin.SQLITE3),
        'split': lambda: split(tmp_path / 'bag', recorded, StoragePlugin.MCAP),
        'compressed': lambda: write_ros2(
            tmp_path / 'bag', recorded, compression=CompressionMode.STORAGE
        ),
        'ros1': lambda: write_ros1(tmp_path / 'bag.bag', recorded),
    }[kind]()
    assert evaluate(path, '--output', tmp_path / 'out', '--no-maps', *arguments) == 0
    assert rows_without_times(tmp_path / 'out') == rows_without_times(output)
    assert not (tmp_path / 'out' / 'maps.mcap').exists()


def test_compressed_images_give_the_same_rows(tmp_path, arguments, output):
    recorded = [
        Sample(f'{CAMERA}/compressed', COMPRESSED, s.time_ns, compressed(picture(i), s.time_ns))
        for i, s in enumerate(s for s in samples(FRAMES) if s.topic == CAMERA)
    ]
    recorded += [s for s in samples(FRAMES) if s.topic != CAMERA]
    recorded.sort(key=lambda sample: sample.time_ns)
    path = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(path, '--output', tmp_path / 'out', '--no-maps', *arguments) == 0
    assert rows_without_times(tmp_path / 'out') == rows_without_times(output)


def test_frames_are_those_of_the_time_range_and_every_nth(bag, arguments, tmp_path):
    options = ('--start', 0.1, '--end', 0.5, '--every', 2, '--no-maps')
    assert evaluate(bag, '--output', tmp_path, *options, *arguments) == 0
    assert [row['frame'] for row in read_table(tmp_path / 'frames.csv')] == [1, 3, 5]


def test_several_recordings_are_pooled_and_keep_their_rows(
    bag, arguments, output, tmp_path, monkeypatch
):
    other = write_ros2(tmp_path / 'bag', samples(3, first=20))
    monkeypatch.setattr(plan, 'PART_FRAMES', 2)
    assert evaluate(bag, other, '--output', tmp_path / 'out', *arguments) == 0
    rows = rows_without_times(tmp_path / 'out')
    assert [row['bag'] for row in rows] == ['bag'] * FRAMES + ['bag_2'] * 3
    assert rows[:FRAMES] == rows_without_times(output)
    pooled, alone = metrics(tmp_path / 'out'), metrics(output)
    assert pooled['semantic']['pixels'] > alone['semantic']['pixels']
    with Bag(tmp_path / 'out' / 'maps_bag_2.mcap') as maps:
        stamps = [m.time_ns for m in maps.messages(['/perception/semantic/image'])]
    assert stamps == [stamp_ns(20 + i) for i in range(3)]


def test_recordings_are_called_apart_whatever_their_names(arguments, tmp_path):
    names = ('mon/drive', 'mon/drive_3', 'tue/drive', 'wed/drive')
    bags = []
    for first, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        bags.append(write_ros2(tmp_path / name, samples(1, truth=False, first=first)))
    output = tmp_path / 'out'
    assert evaluate(*bags, '--output', output, *arguments) == 0
    rows = read_table(output / 'frames.csv')
    called = [bag['name'] for bag in metrics(output)['bags']]
    assert [row['bag'] for row in rows] == called
    assert len(set(called)) == len(names)
    for first, name in enumerate(called):
        with Bag(output / f'maps_{name}.mcap') as maps:
            assert {message.time_ns for message in maps.messages()} == {stamp_ns(first)}


@pytest.mark.parametrize(
    ('network', 'task'), [('SegFormer', 'semantic'), ('DepthFormer', 'depth')]
)
def test_a_network_with_one_task_is_evaluated_on_that(network, task, checkpoints, bag, tmp_path):
    options = ('--checkpoint', checkpoints[network], '--engine', 'torch', '--output', tmp_path)
    assert evaluate(bag, *options) == 0
    found = metrics(tmp_path)
    other = 'depth' if task == 'semantic' else 'semantic'
    assert found[task]
    assert found[other] is None
    with Bag(tmp_path / 'maps.mcap') as maps:
        assert all(f'/{task}/' in topic for topic in maps.topics)


def test_without_ground_truth_there_are_uncertainties_and_no_figures(arguments, tmp_path):
    bag = write_ros2(tmp_path / 'bag', samples(3, truth=False, info=False))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == 0
    found = metrics(tmp_path / 'out')
    assert found['semantic'] is None
    assert found['depth'] is None
    assert set(found['uncertainty']) == {'entropy', 'depth_std'}
    assert "no sensor_msgs/msg/CameraInfo on '/camera/camera_info'" in found['bags'][0]['notes'][0]


def test_it_needs_no_ros_and_without_ground_truth_no_torch(bag, checkpoint, tmp_path):
    pytest.importorskip('openvino')
    blocked = 'rclpy sensor_msgs std_msgs builtin_interfaces torch torchvision timm torchmetrics'
    script = (
        f'import sys; sys.modules.update(dict.fromkeys({blocked.split()}))\n'
        'from emuformer_ros import evaluate_bag; sys.exit(evaluate_bag.main(sys.argv[1:]))'
    )
    options = ('--checkpoint', checkpoint, '--engine', 'openvino', '--output', tmp_path / 'out')
    command = [sys.executable, '-c', script, bag, *options]

    def run(*more):
        return subprocess.run(
            [str(part) for part in (*command, *more)], capture_output=True, text=True, timeout=120
        )

    done = run('--depth-topic', 'none', '--label-topic', 'none')
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(read_table(tmp_path / 'out' / 'frames.csv')) == FRAMES
    done = run('--overwrite')
    assert done.returncode == FAILED
    assert 'comparing with ground truth needs PyTorch' in done.stdout
