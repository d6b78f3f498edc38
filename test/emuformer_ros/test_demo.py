"""`python -m emuformer_ros.demo` as users run it: real node, real DDS between processes."""

import dataclasses
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from real_data import real_data
from recordings import COMPRESSED, INFO, Sample, camera_samples, compressed, pixels, write_ros2
from rosbags.image import image_to_cvimage, message_to_cvimage

from emu_model.checkpoint import load, read_info, save
from emu_model.engines import create_engine
from emu_model.export import export
from emuformer_ros.bags.reading import Bag, decode, header_stamp_ns
from emuformer_ros.demo.recorder import FrameRecord
from emuformer_ros.demo.results import frame_statistics

MAPS = {
    '/perception/semantic/image': 'mono8',
    '/perception/semantic/uncertainty': '32FC1',
    '/perception/semantic/confidence': 'mono8',
    '/perception/semantic/overlay': 'rgb8',
    '/perception/depth/image': '32FC1',
    '/perception/depth/uncertainty': '32FC1',
}
RESULTS = {'maps.mcap', 'node.log', 'overview.png', 'summary.json'}


def run_demo(output, *arguments, timeout_s=120, **variables):
    return subprocess.run(
        [
            sys.executable,
            '-m',
            'emuformer_ros.demo',
            '--output',
            str(output),
            *map(str, arguments),
        ],
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'COLUMNS': '200', **variables},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def recorded(path):
    """The messages of a recording by topic and stamp."""
    with Bag(path) as bag:
        topics = {topic: {} for topic in bag.topics}
        for message in bag.messages():
            stamp_ns = header_stamp_ns(message.data)
            assert stamp_ns not in topics[message.topic], f'{message.topic} twice at {stamp_ns}'
            topics[message.topic][stamp_ns] = decode(message)
    return topics


def assert_maps_fit(topics, camera, size):
    """Every camera image has all maps, with its stamp, frame_id and size."""
    for topic, encoding in MAPS.items():
        assert topics[topic].keys() == camera.keys()
        for stamp, message in topics[topic].items():
            assert message.header.frame_id == camera[stamp].header.frame_id
            assert (message.height, message.width, message.encoding) == (*size, encoding)


def assert_classes_are_those_of(topics, camera, checkpoint):
    engine = create_engine(checkpoint, device='cpu')
    for stamp, message in camera.items():
        expected = engine.predict(message_to_cvimage(message, 'rgb8'), ['classes']).classes
        classes = image_to_cvimage(topics['/perception/semantic/image'][stamp])
        # The number of threads changes the last digits, and with them a pixel on a border.
        assert (classes == expected).mean() > 0.999


def test_a_synthetic_drive_comes_out_whole_and_in_pictures(tmp_path, checkpoints):
    checkpoint = checkpoints['SegDepthFormer']
    done = run_demo(tmp_path / 'out', '--frames', 4, '--checkpoint', checkpoint)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {*RESULTS, 'drive'}

    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert (summary['frames_in'], summary['frames_out'], summary['frames_dropped']) == (4, 4, 0)
    assert 0 < summary['latency_ms']['p50'] <= summary['latency_ms']['p95']
    assert summary['engine'] in done.stdout
    assert summary['device'] == 'cpu' or summary['device'].startswith('cuda')

    topics = recorded(tmp_path / 'out' / 'maps.mcap')
    drive = recorded(tmp_path / 'out' / 'drive')
    camera = topics['/camera/image_raw']
    assert camera.keys() == drive['/camera/image_raw'].keys()
    for stamp, image in camera.items():
        assert (image.data == drive['/camera/image_raw'][stamp].data).all()
    assert_maps_fit(topics, camera, (240, 320))
    assert_classes_are_those_of(topics, camera, checkpoint)
    for stamp, info in topics['/perception/depth/camera_info'].items():
        assert (info.k == drive['/camera/camera_info'][stamp].k).all()
    assert topics['/perception/depth/camera_info'].keys() == camera.keys()

    overview = cv2.imread(str(tmp_path / 'out' / 'overview.png'))
    # The top left picture is the first camera image, a little smaller or larger.
    first = image_to_cvimage(camera[min(camera)], 'bgr8')
    match = cv2.matchTemplate(overview, first, cv2.TM_CCOEFF_NORMED)
    assert match.max() > 0.9


def test_a_real_recording_comes_out_frame_by_frame(tmp_path, checkpoints):
    bag = real_data('office_rgbd') / 'bag'
    checkpoint = checkpoints['SegDepthFormer']
    done = run_demo(tmp_path, '--bag', bag, '--checkpoint', checkpoint)
    assert done.returncode == 0, done.stdout
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert (summary['frames_in'], summary['frames_out'], summary['frames_dropped']) == (5, 5, 0)
    assert summary['topic'] == '/camera/image_raw'
    topics = recorded(tmp_path / 'maps.mcap')
    camera = recorded(bag)['/camera/image_raw']
    assert_maps_fit(topics, camera, (480, 640))
    assert_classes_are_those_of(topics, camera, checkpoint)


def test_compressed_images_come_out_too(tmp_path, checkpoints):
    size = {'height': 48, 'width': 64}
    samples = [
        sample
        if sample.msgtype == INFO
        else Sample(
            '/front/image_raw/compressed',
            COMPRESSED,
            sample.time_ns,
            compressed(pixels(index, **size), sample.time_ns),
        )
        for index, sample in enumerate(camera_samples(3, base='/front', **size))
    ]
    bag = write_ros2(tmp_path / 'bag', samples)
    checkpoint = checkpoints['SegDepthFormer']
    done = run_demo(tmp_path / 'out', '--bag', bag, '--checkpoint', checkpoint)
    assert done.returncode == 0, done.stdout
    topics = recorded(tmp_path / 'out' / 'maps.mcap')
    camera = topics['/front/image_raw/compressed']
    assert len(camera) == 3
    assert_maps_fit(topics, camera, (48, 64))
    assert_classes_are_those_of(topics, camera, checkpoint)


@pytest.mark.parametrize(
    ('file_format', 'name'), [('onnx', 'network.onnx'), ('openvino', 'network.xml')]
)
def test_an_exported_file_stands_for_its_checkpoint(tmp_path, checkpoints, file_format, name):
    checkpoint = checkpoints['SegDepthFormer']
    export(checkpoint, tmp_path / name, file_format)
    bag = write_ros2(tmp_path / 'bag', camera_samples(1, height=48, width=64))
    done = run_demo(tmp_path / 'out', '--bag', bag, '--checkpoint', tmp_path / name)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in (tmp_path / 'out').iterdir()} == RESULTS
    topics = recorded(tmp_path / 'out' / 'maps.mcap')
    assert_classes_are_those_of(topics, topics['/camera/image_raw'], checkpoint)


def test_a_rate_beyond_the_node_shows_the_drops(tmp_path, checkpoints):
    bag = write_ros2(tmp_path / 'bag', camera_samples(60, height=96, width=128))
    arguments = '--bag', bag, '--rate', 1000, '--checkpoint', checkpoints['SegDepthFormer']
    done = run_demo(tmp_path / 'out', *arguments)
    assert done.returncode == 0, done.stdout
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['frames_in'] == 60
    assert summary['frames_dropped'] > 0
    assert summary['frames_out'] == 60 - summary['frames_dropped']
    topics = recorded(tmp_path / 'out' / 'maps.mcap')
    assert len(topics['/camera/image_raw']) == 60
    assert len(topics['/perception/semantic/image']) == summary['frames_out']


def test_neither_a_robots_settings_nor_a_home_that_is_read_only_is_in_the_way(
    tmp_path, checkpoints
):
    variables = {
        'HOME': '/dev/null',
        'ROS_HOME': '',
        'ROS_LOG_DIR': '',
        'ROS_DISCOVERY_SERVER': '127.0.0.1:11811',
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
    }
    bag = write_ros2(tmp_path / 'bag', camera_samples(1, height=48, width=64))
    arguments = '--bag', bag, '--checkpoint', checkpoints['SegDepthFormer']
    done = run_demo(tmp_path / 'out', *arguments, **variables)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in (tmp_path / 'out').iterdir()} == RESULTS


def test_a_tilde_that_the_shell_has_left_is_the_home_directory(tmp_path, checkpoints):
    checkpoint = tmp_path / 'checkpoint.safetensors'
    checkpoint.symlink_to(checkpoints['SegDepthFormer'])
    arguments = '--checkpoint', '~/checkpoint.safetensors', '--bag', '~/absent'
    done = run_demo('~/out', *arguments, HOME=str(tmp_path))
    assert done.returncode == 1
    assert f"no recording at '{tmp_path}/absent'" in done.stdout
    assert (tmp_path / 'out').is_dir()


@pytest.fixture
def misnamed_checkpoint(tmp_path, checkpoints):
    """A checkpoint with the weights of another backbone than it names."""
    info = read_info(checkpoints['SegDepthFormer'])
    path = tmp_path / 'misnamed.safetensors'
    save(load(checkpoints['SegDepthFormer']), dataclasses.replace(info, backbone='mit_b1'), path)
    return path


def test_a_checkpoint_that_the_node_refuses_ends_the_demo_with_its_reason(
    tmp_path, misnamed_checkpoint
):
    bag = write_ros2(tmp_path / 'bag', camera_samples(1))
    done = run_demo(tmp_path / 'out', '--bag', bag, '--checkpoint', misnamed_checkpoint)
    assert done.returncode == 1
    assert 'could not be configured' in done.stdout
    assert 'mit_b1' in done.stdout
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize(
    ('arguments', 'code', 'reason'),
    [
        (['--bag', 'nowhere'], 1, "no recording at 'nowhere'"),
        (['--checkpoint', 'nowhere.safetensors'], 1, "no checkpoint at 'nowhere.safetensors'"),
        (['--topic', '/camera/image_raw'], 2, 'give --bag too'),
        (['--checkpoint', 'nowhere.onnx'], 1, "no model at 'nowhere.onnx'"),
        (['--rate', '0'], 2, 'give a number above 0'),
        (['--domain-id', '233'], 2, "'233' is no ROS 2 domain"),
        (['--domain-id', '-1'], 2, 'give a whole number from 0 to 232'),
        (['--domain-id', '0', '--bag', 'nowhere'], 1, 'ROS 2 domain 0, on this machine alone'),
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(
    tmp_path, checkpoints, arguments, code, reason
):
    done = run_demo(tmp_path, '--checkpoint', checkpoints['SegDepthFormer'], *arguments)
    assert done.returncode == code
    assert reason in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_latencies_and_drops_are_those_of_the_frames():
    latencies_s = np.linspace(0.010, 0.110, 101)
    frames = [
        FrameRecord(i, i, set(), published_s=i, completed_s=i + latency)
        for i, latency in enumerate(latencies_s)
    ]
    frames.append(FrameRecord(101, 101, {'/depth'}, published_s=101.0))
    assert frame_statistics(frames) == {
        'frames_in': 102,
        'frames_out': 101,
        'frames_dropped': 1,
        'latency_ms': {'p50': 60.0, 'p95': 105.0},
        'frames_per_second': round(101 / 100.11, 2),
    }
    assert frame_statistics(frames[-1:])['latency_ms'] == {'p50': None, 'p95': None}
