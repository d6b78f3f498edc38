"""Damaged recordings and messages: what can be read is evaluated, and the rest is counted."""

import pytest
from evaluated import CAMERA, CAMERA_INFO, DEPTH, LABELS, evaluate, metrics, samples, stamp_ns
from mcap.reader import make_reader
from recordings import ROS2, TEXT, Sample, write_ros2
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from emuformer_ros.bag_evaluation.frame_table import read_table
from emuformer_ros.evaluate_bag import INCOMPLETE

FRAMES = 30


@pytest.fixture(scope='module')
def arguments(checkpoints):
    path = checkpoints['SegDepthFormer']
    return ('--checkpoint', path, '--engine', 'torch', '--device', 'cpu', '--no-maps')


@pytest.mark.parametrize('storage', [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize('bare', [False, True])
def test_of_a_truncated_recording_what_is_readable_is_used(
    storage, bare, arguments, tmp_path, capsys
):
    bag = write_ros2(tmp_path / 'bag', with_log(FRAMES), storage)
    file = next(path for path in bag.iterdir() if path.suffix != '.yaml')
    size = file.stat().st_size
    with file.open('rb+') as opened:
        opened.truncate(size * 9 // 10)
    target = file if bare else bag
    assert evaluate(target, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    said = capsys.readouterr().out
    assert 'is damaged' in said
    rows = read_table(tmp_path / 'out' / 'frames.csv')
    assert [row['frame'] for row in rows] == list(range(len(rows)))
    # MCAP loses the chunk that it breaks off in, one third of them here.
    assert FRAMES // 2 < len(rows) < FRAMES
    if not bare:
        assert f'{FRAMES - len(rows)} on {CAMERA}' in said
    assert metrics(tmp_path / 'out')['bags'][0]['damage'] in said
    assert 'Not everything could be evaluated' in (tmp_path / 'out' / 'report.html').read_text()


def with_log(frames):
    """Frames with a long text beside each, so that the recording has several chunks."""
    ballast = ROS2.types[TEXT]('x' * 100_000)
    recorded = samples(frames, truth=False)
    recorded += [Sample('/log', TEXT, stamp_ns(i), ballast) for i in range(frames)]
    return sorted(recorded, key=lambda sample: sample.time_ns)


def test_of_a_corrupt_chunk_it_is_said_how_much_was_lost(arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', with_log(FRAMES), compression=CompressionMode.STORAGE)
    with (bag / 'bag.mcap').open('rb') as file:
        chunk = make_reader(file).get_summary().chunk_indexes[-1]
    with (bag / 'bag.mcap').open('rb+') as file:
        file.seek(chunk.chunk_start_offset + chunk.chunk_length - 1000)
        file.write(bytes(1000))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    rows = read_table(tmp_path / 'out' / 'frames.csv')
    assert 0 < len(rows) < FRAMES
    said = f"{len(rows)} of {FRAMES} images on '{CAMERA}' can be read"
    assert said in capsys.readouterr().out
    assert said in metrics(tmp_path / 'out')['bags'][0]['damage']


def with_damage(topic):
    """Four frames; on a topic the first message is empty and the third one breaks off."""
    recorded = samples(4)
    places = [place for place, sample in enumerate(recorded) if sample.topic == topic]
    for place, share in ((places[0], 0), (places[2], 0.5)):
        sample = recorded[place]
        data = bytes(ROS2.serialize_cdr(sample.message, sample.msgtype))
        kept = data[: round(len(data) * share)]
        recorded[place] = Sample(topic, sample.msgtype, sample.time_ns, kept)
    return recorded


def test_damaged_images_are_left_out_and_counted(arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', with_damage(CAMERA))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    said = capsys.readouterr().out
    assert f"image not usable: a message on '{CAMERA}' is not a readable" in said
    found = metrics(tmp_path / 'out')
    assert sum(found['problems'].values()) == 2
    assert found['bags'][0]['damage'] == ''
    assert (found['frames_with_depth'], found['frames_with_labels']) == (2, 2)
    rows = read_table(tmp_path / 'out' / 'frames.csv')
    assert [(row['frame'], row['time_s']) for row in rows] == [(1, 0.0), (3, 0.2)]


@pytest.mark.parametrize(('topic', 'kind'), [(DEPTH, 'depth'), (LABELS, 'labels')])
def test_damaged_ground_truth_is_left_out_and_counted(topic, kind, arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', with_damage(topic))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    assert f"{kind} not usable: a message on '{topic}'" in capsys.readouterr().out
    found = metrics(tmp_path / 'out')
    assert (found['frames'], found[f'frames_with_{kind}']) == (4, 2)
    assert f"1 messages on '{topic}' are too short for a header" in found['bags'][0]['notes'][0]
    assert found['bags'][0]['damage'] == ''


def test_damaged_camera_infos_are_left_out_and_counted(arguments, tmp_path, capsys):
    bag = write_ros2(tmp_path / 'bag', with_damage(CAMERA_INFO))
    assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INCOMPLETE
    assert 'the CameraInfo is not used' in capsys.readouterr().out
    found = metrics(tmp_path / 'out')
    assert list(found['problems'].values()) == [1]
    scales = [row['depth_scale'] for row in read_table(tmp_path / 'out' / 'frames.csv')]
    assert scales[2] == 1
    assert scales[0] == scales[1] == scales[3] != 1
