"""The frames of a part of a recording, decoded, one at a time in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emuformer_ros.bag_evaluation.bag_index import FrameEntry, MessageKey
from emuformer_ros.bag_evaluation.topics import Topics
from emuformer_ros.bags.cameras import CAMERA_INFO
from emuformer_ros.bags.reading import Bag, BagError, BagMessage, decode
from emuformer_ros.camera.image_conversion import to_rgb


@dataclass(frozen=True)
class CameraFrame:
    """A decoded frame.

    Attributes:
        entry: Which one.
        header: The image's std_msgs/Header, of rosbags; None where it cannot be read.
        image: RGB uint8 (H, W, 3); None where it cannot be used.
        refusal: Why it cannot be used; empty where it can.
        depth: The message with its measured depth, if any.
        labels: The message with its labels, if any.
    """

    entry: FrameEntry
    header: Any
    image: np.ndarray | None
    refusal: str = ''
    depth: BagMessage | None = None
    labels: BagMessage | None = None


def read_frames(
    bag: Bag,
    topics: Topics,
    entries: Sequence[FrameEntry],
    check: Callable[[tuple[int, int]], None] = lambda size: None,
) -> Iterator[CameraFrame]:
    """The frames of consecutive entries, in order.

    What is recorded between their first and last message is read, and what is needed of it kept
    until its frame is complete.

    Args:
        bag: The recording.
        topics: Its topics.
        entries: The frames.
        check: Raises a ValueError for images of a (height, width) that cannot be used.

    Raises:
        BagError: If the recording does not have them.
    """
    for messages, entry in _complete(bag, topics, entries):
        header = image = None
        refusal = ''
        try:
            message = decode(messages[topics.image])
            header, image = message.header, to_rgb(message)
            check(image.shape[:2])
        except (BagError, ValueError) as error:  # an ImageError is one
            image, refusal = None, str(error)
        yield CameraFrame(
            entry, header, image, refusal, messages.get(topics.depth), messages.get(topics.labels)
        )


def decode_camera_info(data: bytes) -> Any:
    """A CameraInfo message of CDR, as rosbags has it.

    Raises:
        BagError: If it is damaged.
    """
    return decode(BagMessage('camera_info', CAMERA_INFO, 0, data))


def _complete(
    bag: Bag, topics: Topics, entries: Sequence[FrameEntry]
) -> Iterator[tuple[dict[str, BagMessage], FrameEntry]]:
    needed = [_needed(topics, entry) for entry in entries]
    wanted = {key for keys in needed for key in keys.items()}
    times = [time_ns for _, (time_ns, _) in wanted]
    found: dict[tuple[str, MessageKey], BagMessage] = {}
    names = {topic for topic, _ in wanted}
    position = 0
    for key, message in _keyed(bag.messages(names, min(times), max(times) + 1)):
        if (message.topic, key) in wanted:
            found[message.topic, key] = message
        while position < len(entries) and all(item in found for item in needed[position].items()):
            # A measurement belongs to one frame alone, and so does an image.
            yield (
                {topic: found.pop((topic, key)) for topic, key in needed[position].items()},
                entries[position],
            )
            position += 1
        if position == len(entries):
            return
    raise BagError(
        f"'{bag.path}' lost frame {entries[position].number} since it was looked through: do not "
        'change a recording while it is evaluated'
    )


def _needed(topics: Topics, entry: FrameEntry) -> dict[str, MessageKey]:
    keys = {topics.image: entry.image, topics.depth: entry.depth, topics.labels: entry.labels}
    return {topic: key for topic, key in keys.items() if topic and key}


def _keyed(messages: Iterator[BagMessage]) -> Iterator[tuple[MessageKey, BagMessage]]:
    """Messages with their keys; a part begins before the first message of its first time."""
    last: dict[str, MessageKey] = {}
    for message in messages:
        time_ns, repeat = last.get(message.topic, (None, 0))
        key = (message.time_ns, repeat + 1 if time_ns == message.time_ns else 0)
        last[message.topic] = key
        yield key, message
