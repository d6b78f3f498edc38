"""The maps of a part as a recording, with the topics that the node publishes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction
from emuformer_ros.bag_evaluation.truth_images import image_pixels
from emuformer_ros.bags.reading import Bag, BagMessage, decode, header_stamp_ns, typestore
from emuformer_ros.bags.writing import McapBag
from emuformer_ros.camera.image_conversion import to_rgb
from emuformer_ros.maps.outputs import MAP_TOPICS, FrameMaps, MapTopic

NODE_NAME = '/perception'
"""The node's name without remapping, which its topics begin with."""

MAPS = 'maps.mcap'

_OVERLAY = 'semantic/overlay'
_SHOWN = {
    'classes': 'semantic/image',
    'entropy': 'semantic/uncertainty',
    'depth': 'depth/image',
    'depth_std': 'depth/uncertainty',
    'instances': 'instance/image',
}
"""Topics that show a field of a Prediction as it is."""

_ENCODINGS = ('mono8', '16UC1', '32FC1')
"""Of these topics."""


def maps_file(recording: str, recordings: int) -> str:
    """The file with the maps of a recording; each of several recordings has its own."""
    return MAPS if recordings == 1 else f'maps_{recording}.mcap'


def map_topics(info: CheckpointInfo) -> list[MapTopic]:
    """The node's topics that are recorded, for the tasks of the network."""
    return [topic for topic in MAP_TOPICS if topic.is_of(info.tasks) and not topic.is_limited]


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


def read_maps(bag: Bag, time_ns: int, stamp_ns: int) -> tuple[Prediction, np.ndarray | None]:
    """The maps of a frame in a recording that `write_maps` made.

    Args:
        bag: The recording.
        time_ns: When the image was recorded.
        stamp_ns: Its stamp, which tells it from others of that time.

    Returns:
        The maps, all None where it has none of the frame; and the overlay, RGB uint8 (H, W, 3).

    Raises:
        BagError, ValueError: If the recording is damaged.
    """
    fields = {f'{NODE_NAME}/{topic}': field for field, topic in _SHOWN.items()}
    names = [*fields, f'{NODE_NAME}/{_OVERLAY}']
    found: dict[str, BagMessage] = {}
    for message in bag.messages(
        [name for name in names if name in bag.topics], time_ns, time_ns + 1
    ):
        if message.topic not in found or header_stamp_ns(message.data) == stamp_ns:
            found[message.topic] = message
    overlay = found.pop(f'{NODE_NAME}/{_OVERLAY}', None)
    maps = {
        fields[name]: image_pixels(message, ('mono8', '32FC1', '16UC1'))
        for name, message in found.items()
    }
    return Prediction(**maps), None if overlay is None else to_rgb(decode(overlay))


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
