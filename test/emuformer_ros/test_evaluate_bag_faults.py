"""Unusable recordings and wrong options: what can be used is, and a sentence says the rest."""

import json

import numpy as np
import pytest
from evaluated import (
    CAMERA,
    DEPTH,
    LABELS,
    evaluate,
    metrics,
    picture,
    samples,
    stamp_ns,
)
from recordings import IMAGE, ROS2, TEXT, Sample, image, pixels, write_ros2

from emuformer_ros.bag_evaluation.frame_table import read_table
from emuformer_ros.evaluate_bag import FAILED, INCOMPLETE, OK


@pytest.fixture(scope='module')
def arguments(checkpoints):
    path = checkpoints['SegDepthFormer']
    return ('--checkpoint', path, '--engine', 'torch', '--device', 'cpu', '--no-maps')


def failure(capsys, *arguments):
    """What the evaluation says when it fails."""
    assert evaluate(*arguments) == FAILED
    said = capsys.readouterr().out
    assert said.count('error:') == 1
    assert 'Traceback' not in said
    return said


def test_what_is_no_recording_is_refused(arguments, tmp_path, capsys):
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'junk.mcap').write_bytes(b'no magic at all')
    options = ('--output', tmp_path / 'out', *arguments)
    assert 'is not a recording' in failure(capsys, tmp_path / 'notes.txt', *options)
    (tmp_path / 'taken').write_text('a file')
    said = failure(capsys, tmp_path / 'nowhere', '--output', tmp_path / 'taken', *arguments)
    assert 'is a file: give the name of a folder' in said
    assert 'no recording at' in failure(capsys, tmp_path / 'nowhere', *options)
    assert 'is damaged or of an unknown kind' in failure(capsys, tmp_path / 'junk.mcap', *options)
    assert not (tmp_path / 'out' / 'metrics.json').exists()


def test_a_missing_topic_is_refused_with_those_there_are(arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', samples(2))
    options = ('--output', tmp_path / 'out', *arguments)
    for option in ('--image-topic', '--depth-topic', '--label-topic'):
        said = failure(capsys, bag, option, '/nothing', *options)
        assert "no topic '/nothing'" in said
        assert f'{CAMERA} (sensor_msgs/msg/Image, 2)' in said
    said = failure(capsys, bag, '--depth-topic', '/camera/camera_info', *options)
    assert 'is sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image' in said


def test_several_cameras_are_listed(arguments, tmp_path, capsys):
    other = [
        Sample('/rear/image_raw', IMAGE, s.time_ns, s.message)
        for s in samples(2)
        if s.topic == CAMERA
    ]
    bag = write_ros2(tmp_path / 'bag', sorted(samples(2) + other, key=lambda s: s.time_ns))
    said = failure(capsys, bag, '--output', tmp_path / 'out', *arguments)
    assert f'has 2 image topics: choose one of {CAMERA}, /rear/image_raw' in said
    options = ('--image-topic', '/rear/image_raw', '--output', tmp_path / 'out')
    assert evaluate(bag, *options, *arguments) == OK


def test_several_depth_topics_are_listed_and_none_is_used(arguments, tmp_path):
    other = [
        Sample('/lidar/depth', IMAGE, s.time_ns, s.message) for s in samples(2) if s.topic == DEPTH
    ]
    bag = write_ros2(tmp_path / 'bag', sorted(samples(2) + other, key=lambda s: s.time_ns))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == OK
    found = metrics(tmp_path / 'out')
    assert found['depth'] is None
    assert f'({DEPTH}, /lidar/depth): none is used' in found['bags'][0]['notes'][0]


@pytest.mark.parametrize(
    ('node', 'uncertainty'), [('/perception', False), ('/front/perception', True)]
)
def test_maps_of_a_network_are_no_ground_truth_unless_they_are_named(
    node, uncertainty, arguments, tmp_path, capsys
):
    maps = {DEPTH: f'{node}/depth/image', LABELS: f'{node}/semantic/image'}
    recorded = [
        Sample(maps.get(s.topic, s.topic), s.msgtype, s.time_ns, s.message) for s in samples(2)
    ]
    if uncertainty:
        values = image(np.ones((2, 2), np.float32), '32FC1')
        for task in ('depth', 'semantic'):
            recorded.append(Sample(f'{node}/{task}/uncertainty', IMAGE, stamp_ns(2), values))
    bag = write_ros2(tmp_path / 'bag', recorded)
    options = ('--output', tmp_path / 'out', *arguments)
    assert evaluate(bag, '--image-topic', CAMERA, *options) == OK
    found = metrics(tmp_path / 'out')
    assert (found['depth'], found['semantic']) == (None, None)
    said = capsys.readouterr().out
    for topic, kind in ((maps[DEPTH], 'depth'), (maps[LABELS], 'label')):
        assert f"'{topic}' looks like a map that a network made" in said
        assert f'name it with --{kind}-topic' in said
    named = ('--image-topic', CAMERA, '--depth-topic', maps[DEPTH], '--overwrite')
    assert evaluate(bag, *named, *options) == OK
    assert metrics(tmp_path / 'out')['frames_with_depth'] == 2


def test_ground_truth_is_found_beside_the_maps_of_a_network(arguments, tmp_path):
    maps = [
        Sample('/perception/depth/image', IMAGE, s.time_ns, s.message)
        for s in samples(2)
        if s.topic == DEPTH
    ]
    bag = write_ros2(tmp_path / 'bag', sorted(samples(2) + maps, key=lambda s: s.time_ns))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == OK
    assert metrics(tmp_path / 'out')['bags'][0]['depth_topic'] == DEPTH


def test_images_that_cannot_be_used_are_left_out_and_counted(arguments, tmp_path, capsys):
    recorded = samples(4)
    for index, encoding in ((4, 'strange8'), (8, '32FC1')):
        sample = recorded[index]
        assert sample.topic == CAMERA
        odd = image(picture(0), encoding, sample.time_ns)
        recorded[index] = Sample(CAMERA, IMAGE, sample.time_ns, odd)
    bag = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    said = capsys.readouterr().out
    assert "encoding 'strange8' is not a camera image's" in said
    assert "encoding '32FC1' is not a camera image's" in said
    assert [row['frame'] for row in read_table(tmp_path / 'out' / 'frames.csv')] == [0, 3]


def test_images_too_small_for_the_network_are_left_out(any_size_checkpoint, tmp_path, capsys):
    sizes = [(48, 64), (24, 32), (48, 64)]
    recorded = [
        Sample(CAMERA, IMAGE, stamp_ns(i), image(pixels(i, *size), stamp_ns=stamp_ns(i)))
        for i, size in enumerate(sizes)
    ]
    bag = write_ros2(tmp_path / 'bag', recorded)
    options = ('--checkpoint', any_size_checkpoint, '--engine', 'torch', '--device', 'cpu')
    assert evaluate(bag, '--output', tmp_path / 'out', *options) == INCOMPLETE
    assert 'a frame of 24x32 is too small for mit_b0' in capsys.readouterr().out
    assert [row['frame'] for row in read_table(tmp_path / 'out' / 'frames.csv')] == [0, 2]


def test_a_recording_without_a_usable_image_still_gives_a_report(arguments, tmp_path, capsys):
    recorded = [
        Sample(CAMERA, IMAGE, stamp_ns(i), image(picture(i), '32FC1', stamp_ns(i)))
        for i in range(2)
    ]
    bag = write_ros2(tmp_path / 'bag', recorded)
    options = ('--image-topic', CAMERA, '--select', 2, '--output', tmp_path / 'out')
    with_maps = [each for each in arguments if each != '--no-maps']
    assert evaluate(bag, *options, *with_maps) == INCOMPLETE
    assert "encoding '32FC1' is not a camera image's" in capsys.readouterr().out
    assert 'No frame could be used' in (tmp_path / 'out' / 'report.html').read_text()
    assert metrics(tmp_path / 'out')['frames'] == 0
    manifest = json.loads((tmp_path / 'out' / 'selection' / 'manifest.json').read_text())
    assert manifest['frames'] == []


def test_repeated_stamps_are_evaluated_once_and_jumps_back_are_noted(arguments, tmp_path):
    recorded = samples(4, truth=False) + samples(2, truth=False)
    for index, sample in enumerate(recorded):
        recorded[index] = Sample(
            sample.topic, sample.msgtype, stamp_ns(index // 2), sample.message
        )
    recorded[2].message.header.stamp.sec = 9
    bag = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == OK
    notes = ' '.join(metrics(tmp_path / 'out')['bags'][0]['notes'])
    assert '1 images repeat the stamp of an earlier one' in notes
    assert 'stamps jump back 2 times' in notes
    assert [row['frame'] for row in read_table(tmp_path / 'out' / 'frames.csv')] == [0, 1, 2, 3, 5]


def test_ground_truth_without_a_match_is_said_with_the_closest(arguments, tmp_path):
    late = [
        Sample(s.topic, s.msgtype, s.time_ns, s.message) for s in samples(3) if s.topic != LABELS
    ]
    for sample in late:
        if sample.topic == DEPTH:
            sample.message.header.stamp.nanosec += 45 * 10**6
    bag = write_ros2(tmp_path / 'bag', late)
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == OK
    found = metrics(tmp_path / 'out')
    assert found['depth'] is None
    note = found['bags'][0]['notes'][0]
    assert f"no message on '{DEPTH}' matches an image within 0.02 s" in note
    assert 'the closest is 0.048 s' in note
    options = ('--tolerance', 0.05, '--overwrite', '--output', tmp_path / 'out')
    assert evaluate(bag, *options, *arguments) == OK
    assert metrics(tmp_path / 'out')['frames_with_depth'] == 3


def test_labels_that_the_checkpoint_does_not_know_are_left_out_and_said(
    arguments, tmp_path, capsys
):
    recorded = samples(2)
    for sample in recorded:
        if sample.topic == LABELS:
            sample.message.data[:] = 19
    bag = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    assert 'label 19 is not among the 7 classes' in capsys.readouterr().out
    assert metrics(tmp_path / 'out')['semantic'] is None


def test_a_bag_without_images_or_frames_in_range_is_refused(arguments, tmp_path, capsys):
    text = ROS2.types[TEXT]('hello')
    bag = write_ros2(tmp_path / 'text', [Sample('/chatter', TEXT, 1, text)])
    options = ('--output', tmp_path / 'out', *arguments)
    assert 'has no camera images, only /chatter' in failure(capsys, bag, *options)
    bag = write_ros2(tmp_path / 'bag', samples(2))
    assert 'widen --start and --end' in failure(capsys, bag, '--start', 60, *options)


def test_a_wrong_checkpoint_or_device_is_said(arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', samples(1))
    (tmp_path / 'bad.safetensors').write_bytes(b'nothing')
    for checkpoint, reason in (
        ('bad.safetensors', 'not a safetensors'),
        ('no.x', 'no checkpoint'),
    ):
        options = ('--checkpoint', tmp_path / checkpoint, '--output', tmp_path / 'out')
        assert reason in failure(capsys, bag, *options)
    said = failure(capsys, bag, '--output', tmp_path / 'out', *arguments, '--device', 'tpu')
    assert "no device 'tpu'" in said


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (('--by', 'depth'), 'give --select too'),
        (('--ray-workers', '2'), 'needs --ray'),
        (('--ray', '--device', 'cuda:1'), 'give --device cuda'),
        (('--start', '5', '--end', '1'), 'is before --start'),
        (('--every', '0'), 'give 1 or more'),
        (('--network-size', '480'), 'give HEIGHTxWIDTH'),
        (('--resume', '--overwrite'), 'not allowed with'),
    ],
)
def test_a_wrong_command_line_is_refused(options, reason, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        evaluate('bag', '--output', tmp_path, *options)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_all_stamps_alike_are_replaced_by_the_times_of_recording(arguments, tmp_path):
    recorded = samples(3)
    for sample in recorded:
        sample.message.header.stamp.sec = sample.message.header.stamp.nanosec = 0
    bag = write_ros2(tmp_path / 'bag', recorded)
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == OK
    found = metrics(tmp_path / 'out')
    assert 'all images' in found['bags'][0]['notes'][0]
    assert found['frames_with_depth'] == 3
    times = [row['time_s'] for row in read_table(tmp_path / 'out' / 'frames.csv')]
    np.testing.assert_allclose(times, [0, 0.1, 0.2])
