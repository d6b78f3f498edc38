"""The maps of a part as a recording, with the topics that the node publishes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_writing import McapBag
from emuformer_ros.bags import typestore
from emuformer_ros.outputs import MAP_TOPICS, FrameMaps, MapTopic

NODE_NAME = '/perception'
"""The node's name without remapping, which its topics begin with."""

_WRITABLE = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo')


def map_topics(info: CheckpointInfo) -> list[MapTopic]:
    """The node's topics with an image or its CameraInfo, for the tasks of the network."""
    return [
        topic for topic in MAP_TOPICS if topic.task in info.tasks and topic.msgtype in _WRITABLE
    ]


def announce(bag: McapBag, topics: Sequence[MapTopic]) -> None:
    """Announce the topics, always in the same order."""
    for topic in topics:
        bag.add_topic(_full_name(topic), topic.msgtype)


def write_maps(bag: McapBag, topics: Sequence[MapTopic], maps: FrameMaps, time_ns: int) -> None:
    """Append the maps of a frame.

    Args:
        bag: The recording.
        topics: Its topics.
        maps: The frame's; the header is one of rosbags.
        time_ns: When the image was recorded: the maps play in step with it.
    """
    for topic in topics:
        content = topic.content(maps)
        if content is None:
            continue
        if topic.encoding:
            content = _image(content, topic.encoding, maps.header)
        data = typestore().serialize_cdr(content, topic.msgtype)
        bag.write(_full_name(topic), time_ns, data)


def _image(pixels: np.ndarray, encoding: str, header: Any) -> Any:
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder('<'))
    return typestore().types['sensor_msgs/msg/Image'](
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.strides[0],
        data=pixels.view(np.uint8).ravel(),
    )


def _full_name(topic: MapTopic) -> str:
    return topic.name.replace('~', NODE_NAME, 1)
