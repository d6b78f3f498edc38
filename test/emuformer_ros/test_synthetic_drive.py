import numpy as np
import pytest
from rosbags.image import image_to_cvimage

from emu_model import scenes
from emuformer_ros.bags.cameras import find_camera_info_topic, find_image_topic
from emuformer_ros.bags.reading import Bag, decode, header_stamp_ns
from emuformer_ros.synthetic_drive import (
    CAMERA_INFO_TOPIC,
    DEPTH_TOPIC,
    FRAME_ID,
    IMAGE_TOPIC,
    LABELS_TOPIC,
    START_NS,
    Drive,
    main,
    write_drive,
)

SMALL = Drive('indoor', frames=3, rate_hz=4.0, height=24, width=32, seed=5)


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """The messages of a small drive by topic, in order."""
    path = tmp_path_factory.mktemp('drive') / 'drive'
    write_drive(path, SMALL)
    with Bag(path) as bag:
        messages = list(bag.messages())
    topics = {m.topic for m in messages}
    return {topic: [m for m in messages if m.topic == topic] for topic in topics}


def rendered():
    return scenes.drive('indoor', 5, 3, 4.0, 24, 32)


def test_images_depths_and_labels_are_those_of_the_scene(recorded):
    for index, frame in enumerate(rendered()):
        maps = {
            IMAGE_TOPIC: ('rgb8', frame.image),
            DEPTH_TOPIC: ('32FC1', frame.depth),
            LABELS_TOPIC: ('mono8', frame.classes),
        }
        for topic, (encoding, expected) in maps.items():
            message = decode(recorded[topic][index])
            assert message.encoding == encoding
            np.testing.assert_array_equal(image_to_cvimage(message), expected)


def test_camera_info_describes_the_camera_of_the_scene(recorded):
    frame = next(iter(rendered()))
    info = decode(recorded[CAMERA_INFO_TOPIC][0])
    k = frame.intrinsics
    assert (info.height, info.width) == (24, 32)
    assert info.k.tolist() == [k.fx, 0, k.cx, 0, k.fy, k.cy, 0, 0, 1]
    assert info.p.reshape(3, 4)[:, :3].ravel().tolist() == info.k.tolist()
    assert not info.p.reshape(3, 4)[:, 3].any()
    assert not info.d.any()


def test_all_messages_of_a_frame_share_stamp_and_frame_id(recorded):
    for messages in recorded.values():
        stamps = [START_NS, START_NS + 250_000_000, START_NS + 500_000_000]
        assert [header_stamp_ns(message.data) for message in messages] == stamps
        assert [message.time_ns for message in messages] == stamps
        assert {decode(message).header.frame_id for message in messages} == {FRAME_ID}


def test_the_camera_in_it_is_found_without_being_named(tmp_path):
    write_drive(tmp_path / 'drive.mcap', SMALL)
    with Bag(tmp_path / 'drive.mcap') as bag:
        assert find_image_topic(bag) == IMAGE_TOPIC
        assert find_camera_info_topic(bag, IMAGE_TOPIC) == CAMERA_INFO_TOPIC


def test_the_command_line_writes_the_same_drive_every_time(tmp_path):
    arguments = [
        '--kind',
        'street',
        '--frames',
        '2',
        '--rate',
        '5',
        '--size',
        '32x48',
        '--seed',
        '3',
        '--shift',
        'fog',
    ]
    for name in ('a.mcap', 'b.mcap'):
        assert main([str(tmp_path / name), *arguments]) == 0
    with Bag(tmp_path / 'a.mcap') as a, Bag(tmp_path / 'b.mcap') as b:
        assert list(a.messages()) == list(b.messages())
        first = decode(next(a.messages([IMAGE_TOPIC])))
    frame = next(iter(scenes.drive('street', 3, 2, 5.0, 32, 48, shift='fog')))
    np.testing.assert_array_equal(image_to_cvimage(first), frame.image)


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--size', '320'], 'give HEIGHTxWIDTH'),
        (['--frames', '0'], '0 is not positive'),
        (['--rate', '-1'], 'give a number above 0'),
        (['--rate', 'fast'], "'fast' is no number"),
        (['--shift', 'earthquake'], 'fog'),
        (['--seed', '-1'], "'-1' is no seed: give a whole number, 0 or more"),
        (['--seed', 'first'], "'first' is no seed"),
    ],
)
def test_arguments_out_of_range_are_refused_with_what_is_allowed(
    tmp_path, capsys, arguments, reason
):
    with pytest.raises(SystemExit):
        main([str(tmp_path / 'drive'), *arguments])
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_not_overwritten(tmp_path, capsys):
    (tmp_path / 'thesis.tex').write_text('…')
    assert main([str(tmp_path), '--frames', '1', '--size', '32x32']) == 1
    assert 'no rosbag2 folder' in capsys.readouterr().err
