"""The maps of a part as a recording, with the topics that the node publishes."""

from collections.abc import Sequence

from emuformer_ros.bags.maps import recorded_name
from emuformer_ros.bags.reading import typestore
from emuformer_ros.bags.writing import McapBag
from emuformer_ros.maps.outputs import FrameMaps, MapTopic

MAPS = 'maps.mcap'


def maps_file(recording: str, recordings: int) -> str:
    """The file with the maps of a recording; each of several recordings has its own."""
    return MAPS if recordings == 1 else f'maps_{recording}.mcap'


def announce(bag: McapBag, topics: Sequence[MapTopic]) -> None:
    """Announce the topics, always in the same order."""
    for topic in topics:
        bag.add_topic(recorded_name(topic.name), topic.msgtype)


def write_maps(bag: McapBag, topics: Sequence[MapTopic], maps: FrameMaps, time_ns: int) -> None:
    """Append the maps of a frame.

    Args:
        bag: The recording.
        topics: Its topics.
        maps: The frame's; the header is one of rosbags.
        time_ns: When the image was recorded: the maps play in step with it.
    """
    for topic in topics:
        message = topic.make(maps)
        if message is None:
            continue
        if not isinstance(message, bytes):
            message = typestore().serialize_cdr(message, topic.msgtype)
        bag.write(recorded_name(topic.name), time_ns, message)
