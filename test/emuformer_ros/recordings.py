"""Small recordings of every kind, with messages that tests can tell apart."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
INFO = 'sensor_msgs/msg/CameraInfo'
TEXT = 'std_msgs/msg/String'

ROS2 = get_typestore(Stores.ROS2_HUMBLE)
ROS1 = get_typestore(Stores.ROS1_NOETIC)


@dataclass(frozen=True)
class Sample:
    """A message to record; bytes are recorded as they are."""

    topic: str
    msgtype: str
    time_ns: int
    message: object


def pixels(seed: int, height: int = 6, width: int = 8, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def header(stamp_ns, store=ROS2):
    time = store.types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    first = (0,) if store is ROS1 else ()
    return store.types['std_msgs/msg/Header'](*first, time, 'camera_optical_frame')


def image(values, encoding='rgb8', stamp_ns=0, store=ROS2):
    values = np.ascontiguousarray(values)
    height, width = values.shape[:2]
    data = values.view(np.uint8).ravel()
    return store.types[IMAGE](
        header(stamp_ns, store), height, width, encoding, 0, data.size // height, data
    )


def compressed(values, stamp_ns=0):
    data = cv2.imencode('.png', values[..., ::-1])[1].ravel()
    return ROS2.types[COMPRESSED](header(stamp_ns), 'rgb8; png compressed bgr8', data)


def camera_info(stamp_ns=0, fx=10.0, height=6, width=8, store=ROS2):
    k = np.array([fx, 0, 3.5, 0, fx, 2.5, 0, 0, 1])
    p = np.array([fx, 0, 3.5, 0, 0, fx, 2.5, 0, 0, 0, 1, 0])
    roi = store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return store.types[INFO](
        header(stamp_ns, store),
        height,
        width,
        'plumb_bob',
        np.zeros(5),
        k,
        np.eye(3).ravel(),
        p,
        0,
        0,
        roi,
    )


def camera_samples(frames=3, base='/camera', store=ROS2, **size):
    """An image and a CameraInfo per frame, 0.1 s apart from 1 s on."""
    samples = []
    for index in range(frames):
        stamp = 10**9 + index * 10**8
        picture = image(pixels(index, **size), stamp_ns=stamp, store=store)
        info = camera_info(stamp, 10.0 + index, store=store, **size)
        samples.append(Sample(f'{base}/image_raw', IMAGE, stamp, picture))
        samples.append(Sample(f'{base}/camera_info', INFO, stamp, info))
    return samples


def write_ros2(
    path: Path,
    samples: list[Sample],
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Ros2Writer(path, version=8, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        topics = {}
        for sample in samples:
            if sample.topic not in topics:
                topics[sample.topic] = writer.add_connection(
                    sample.topic, sample.msgtype, typestore=ROS2
                )
            data = sample.message
            if not isinstance(data, bytes):
                data = ROS2.serialize_cdr(data, sample.msgtype)
            writer.write(topics[sample.topic], sample.time_ns, data)
    return path


def write_ros1(path: Path, samples: list[Sample]) -> Path:
    with Ros1Writer(path) as writer:
        topics = {}
        for sample in samples:
            if sample.topic not in topics:
                topics[sample.topic] = writer.add_connection(
                    sample.topic, sample.msgtype, typestore=ROS1
                )
            data = ROS1.serialize_ros1(sample.message, sample.msgtype)
            writer.write(topics[sample.topic], sample.time_ns, data)
    return path


def split(path: Path, samples: list[Sample], storage: StoragePlugin) -> Path:
    """A rosbag2 whose messages are in two files, as `ros2 bag record --max-bag-size` leaves it."""
    half = len(samples) // 2
    parts = [
        write_ros2(path.with_name(f'{path.name}_{index}'), part, storage)
        for index, part in enumerate((samples[:half], samples[half:]))
    ]
    path.mkdir()
    infos = []
    for part in parts:
        metadata = yaml.safe_load((part / 'metadata.yaml').read_text())
        infos.append(metadata['rosbag2_bagfile_information'])
        (part / infos[-1]['relative_file_paths'][0]).rename(
            path / infos[-1]['relative_file_paths'][0]
        )
    whole = infos[0]
    whole['relative_file_paths'] += infos[1]['relative_file_paths']
    whole['files'] += infos[1]['files']
    whole['message_count'] += infos[1]['message_count']
    for first, second in zip(
        whole['topics_with_message_count'], infos[1]['topics_with_message_count']
    ):
        first['message_count'] += second['message_count']
    start = whole['starting_time']['nanoseconds_since_epoch']
    whole['duration']['nanoseconds'] = samples[-1].time_ns - start
    text = yaml.safe_dump({'rosbag2_bagfile_information': whole})
    (path / 'metadata.yaml').write_text(text)
    return path
