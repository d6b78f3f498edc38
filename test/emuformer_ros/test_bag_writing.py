import contextlib

import pytest
from recordings import IMAGE, ROS2, image, pixels
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from emuformer_ros.bags.writing import offered_qos, write_bag

DATA = bytes(ROS2.serialize_cdr(image(pixels(0)), IMAGE))


def write(path, data=DATA):
    with write_bag(path) as bag:
        bag.add_topic('/image', IMAGE)
        bag.add_topic('/latched', IMAGE, [offered_qos(depth=1, latched=True, reliable=False)])
        bag.write('/image', 7, data)
        bag.write('/image', 9, data)


@pytest.mark.parametrize('name', ['drive', 'maps.mcap'])
def test_what_was_written_is_read_back_by_other_readers(tmp_path, name):
    write(tmp_path / name)
    with AnyReader([tmp_path / name]) as reader:
        assert {topic: info.msgcount for topic, info in reader.topics.items()} == {
            '/image': 2,
            '/latched': 0,
        }
        assert [(c.topic, time, bytes(d)) for c, time, d in reader.messages()] == [
            ('/image', 7, DATA),
            ('/image', 9, DATA),
        ]
        message = reader.deserialize(DATA, IMAGE)
        assert (message.data == pixels(0).ravel()).all()


def test_the_offered_qos_is_kept_for_the_player(tmp_path):
    write(tmp_path / 'maps.mcap')
    with Reader(tmp_path / 'maps.mcap') as reader:
        qos = {c.topic: c.ext.offered_qos_profiles[0] for c in reader.connections}
    assert qos['/image'].reliability == QosReliability.RELIABLE
    assert qos['/image'].durability == QosDurability.VOLATILE
    assert qos['/latched'].reliability == QosReliability.BEST_EFFORT
    assert qos['/latched'].durability == QosDurability.TRANSIENT_LOCAL
    assert qos['/latched'].depth == 1


def test_a_folder_has_the_layout_of_a_rosbag2(tmp_path):
    write(tmp_path / 'drive')
    files = sorted(file.name for file in (tmp_path / 'drive').iterdir())
    assert files == ['drive.mcap', 'metadata.yaml']


@pytest.mark.parametrize('name', ['drive', 'maps.mcap'])
def test_an_earlier_recording_is_replaced(tmp_path, name):
    other = bytes(ROS2.serialize_cdr(image(pixels(1)), IMAGE))
    write(tmp_path / name, other)
    write(tmp_path / name)
    with Reader(tmp_path / name) as reader:
        assert bytes(next(iter(reader.messages()))[2]) == DATA


@pytest.mark.parametrize('name', ['drive', 'maps.mcap'])
def test_an_interrupted_recording_leaves_nothing_and_keeps_the_earlier_one(tmp_path, name):
    write(tmp_path / name)
    with contextlib.suppress(KeyboardInterrupt), write_bag(tmp_path / name) as bag:
        bag.add_topic('/other', IMAGE)
        bag.write('/other', 1, DATA)
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with Reader(tmp_path / name) as reader:
        assert reader.topics['/image'].msgcount == 2


def test_a_folder_that_is_no_recording_is_not_replaced(tmp_path):
    (tmp_path / 'precious').mkdir()
    (tmp_path / 'precious' / 'thesis.tex').write_text('…')
    with pytest.raises(FileExistsError, match="precious' exists and is no rosbag2"):
        write(tmp_path / 'precious')
    assert (tmp_path / 'precious' / 'thesis.tex').exists()
