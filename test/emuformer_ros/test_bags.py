import contextlib
import sqlite3

import pytest
from recordings import (
    IMAGE,
    ROS1,
    ROS2,
    TEXT,
    Sample,
    camera_samples,
    image,
    pixels,
    split,
    write_ros1,
    write_ros2,
)
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer

from emuformer_ros.bags.reading import (
    Bag,
    BagError,
    Topic,
    decode,
    header_stamp_ns,
    typestore,
    with_header_stamp,
)

SQLITE, MCAP = StoragePlugin.SQLITE3, StoragePlugin.MCAP


def assert_has(bag, samples):
    """A bag has the camera samples, in order, value for value."""
    messages = list(bag.messages())
    assert [(m.topic, m.msgtype, m.time_ns) for m in messages] == [
        (s.topic, s.msgtype, s.time_ns) for s in samples
    ]
    for message, sample in zip(messages, samples):
        decoded = decode(message)
        assert decoded.header.frame_id == 'camera_optical_frame'
        assert header_stamp_ns(message.data) == sample.time_ns
        if sample.msgtype == IMAGE:
            assert (decoded.data == sample.message.data).all()
            assert decoded.encoding == sample.message.encoding
        else:
            expected = getattr(sample.message, 'k', None)
            expected = sample.message.K if expected is None else expected
            assert (decoded.k == expected).all()


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        (SQLITE, CompressionMode.NONE),
        (SQLITE, CompressionMode.FILE),
        (SQLITE, CompressionMode.MESSAGE),
        (MCAP, CompressionMode.NONE),
        (MCAP, CompressionMode.FILE),
        (MCAP, CompressionMode.MESSAGE),
        (MCAP, CompressionMode.STORAGE),
    ],
)
def test_rosbag2_is_read_whatever_its_storage_and_compression(tmp_path, storage, compression):
    samples = camera_samples()
    with Bag(write_ros2(tmp_path / 'bag', samples, storage, compression)) as bag:
        assert bag.topics == {
            '/camera/camera_info': Topic('sensor_msgs/msg/CameraInfo', 3),
            '/camera/image_raw': Topic(IMAGE, 3),
        }
        assert_has(bag, samples)


@pytest.mark.parametrize('storage', [SQLITE, MCAP])
def test_a_split_rosbag2_is_read_from_all_its_files(tmp_path, storage):
    samples = camera_samples(4)
    with Bag(split(tmp_path / 'bag', samples, storage)) as bag:
        assert bag.topics['/camera/image_raw'].count == 4
        assert_has(bag, samples)


def test_a_single_mcap_file_is_a_recording(tmp_path):
    samples = camera_samples()
    write_ros2(tmp_path / 'bag', samples)
    with Bag(tmp_path / 'bag' / 'bag.mcap') as bag:
        assert_has(bag, samples)


def test_a_ros1_bag_gives_the_same_messages_as_ros2(tmp_path):
    samples = camera_samples(store=ROS1)
    with Bag(write_ros1(tmp_path / 'old.bag', samples)) as bag:
        assert_has(bag, samples)
        for message, sample in zip(bag.messages(), camera_samples()):
            assert message.data == bytes(ROS2.serialize_cdr(sample.message, sample.msgtype))


def test_messages_are_those_of_the_topics_and_the_time_asked_for(tmp_path):
    with Bag(write_ros2(tmp_path / 'bag', camera_samples(5))) as bag:
        times = [
            m.time_ns for m in bag.messages(['/camera/image_raw'], 1_100_000_000, 1_300_000_000)
        ]
        assert times == [1_100_000_000, 1_200_000_000]


def test_a_type_that_nobody_knows_does_not_hinder_the_others(tmp_path):
    path = tmp_path / 'bag'
    with Writer(path, version=8, storage_plugin=MCAP) as writer:
        odd = writer.add_connection('/odd', 'odd_msgs/msg/Odd', msgdef='what is this', rihs01='x')
        known = writer.add_connection('/image', IMAGE, typestore=ROS2)
        writer.write(odd, 1, b'\0\1\0\0abcd')
        writer.write(known, 2, ROS2.serialize_cdr(image(pixels(0)), IMAGE))
    with Bag(path) as bag:
        first, second = bag.messages()
        assert (decode(second).data == pixels(0).ravel()).all()
        with pytest.raises(BagError, match="on '/odd' is not a readable odd_msgs/msg/Odd"):
            decode(first)


def test_an_unknown_topic_is_refused_with_those_there_are(tmp_path):
    with (
        Bag(write_ros2(tmp_path / 'bag', camera_samples(2))) as bag,
        pytest.raises(BagError) as error,
    ):
        list(bag.messages(['/camera/colour']))
    assert "no topic '/camera/colour'" in str(error.value)
    assert '/camera/image_raw (sensor_msgs/msg/Image, 2)' in str(error.value)


def test_what_is_no_recording_is_refused_with_a_way_out(tmp_path):
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'empty').mkdir()
    write_ros2(tmp_path / 'crashed', camera_samples(1))
    (tmp_path / 'crashed' / 'metadata.yaml').unlink()
    for name, reason in {
        'nowhere': 'no recording at',
        'notes.txt': 'is not a recording: give a rosbag2 folder',
        'empty': 'has no metadata.yaml: give a rosbag2 folder',
        'crashed': r"has no metadata.yaml: give '.*crashed.mcap' itself",
    }.items():
        with pytest.raises(BagError, match=reason):
            Bag(tmp_path / name)


@pytest.mark.parametrize('storage', [SQLITE, MCAP])
@pytest.mark.parametrize('kept', [0, 5, 400, 3000])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, storage, kept):
    path = write_ros2(tmp_path / 'bag', camera_samples(40), storage)
    file = next(path.glob('bag.*'))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(BagError, match="bag' is damaged or of an unknown kind"), Bag(path) as bag:
        list(bag.messages())


@pytest.mark.parametrize('content', [b'', b'#ROSBAG V2.0\n', b'not a bag at all', bytes(5000)])
def test_a_file_with_the_name_of_a_recording_alone_is_an_error(tmp_path, content):
    for suffix in ('.mcap', '.db3', '.bag'):
        path = tmp_path / f'odd{suffix}'
        path.write_bytes(content)
        with pytest.raises(BagError, match=f'odd{suffix}'), Bag(path) as bag:
            list(bag.messages())


def test_metadata_that_is_no_metadata_is_an_error(tmp_path):
    path = write_ros2(tmp_path / 'bag', camera_samples(1))
    for text in ('', '- a list', 'rosbag2_bagfile_information: {version: 5}', '{'):
        (path / 'metadata.yaml').write_text(text)
        with pytest.raises(BagError, match='is damaged'):
            Bag(path)


@pytest.mark.parametrize('stamp_ns', [0, 1, 1_700_000_000_123_456_789])
@pytest.mark.parametrize('little_endian', [True, False])
def test_the_stamp_of_a_serialised_message_is_read_and_replaced(stamp_ns, little_endian):
    message = image(pixels(3), stamp_ns=5)
    data = bytes(ROS2.serialize_cdr(message, IMAGE, little_endian=little_endian))
    assert header_stamp_ns(data) == 5
    changed = ROS2.deserialize_cdr(with_header_stamp(data, stamp_ns), IMAGE)
    assert changed.header.stamp.sec * 10**9 + changed.header.stamp.nanosec == stamp_ns
    assert (changed.data == message.data).all()
    assert changed.header.frame_id == message.header.frame_id


@pytest.mark.parametrize('size', [0, 1, 4, 11])
def test_a_message_too_short_for_a_header_is_an_error_that_says_so(size):
    for use in (header_stamp_ns, lambda data: with_header_stamp(data, 5)):
        with pytest.raises(BagError, match=f'a message of {size} bytes has no std_msgs/Header'):
            use(bytes(size))


def test_a_recording_without_message_definitions_is_read_by_the_common_ones(tmp_path):
    text = typestore().types[TEXT]('hello')
    path = write_ros2(tmp_path / 'bag', [Sample('/chatter', TEXT, 1, text)], SQLITE)
    # As Humble and older distributions record.
    with contextlib.closing(sqlite3.connect(path / 'bag.db3')) as database, database:
        database.execute('DELETE FROM message_definitions')
    with Bag(path) as bag:
        assert [decode(message).data for message in bag.messages()] == ['hello']
