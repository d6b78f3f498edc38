"""The node's maps in a recording, as the demo and the evaluation of bags leave them."""

import numpy as np
from rosbags.image import ImageError, image_to_cvimage

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction
from emuformer_ros.bags.reading import Bag, BagError, BagMessage, decode, header_stamp_ns
from emuformer_ros.maps.outputs import MAP_TOPICS, MapTopic

NODE_NAME = '/perception'
"""The node's name without remapping, which its topics begin with."""

_OVERLAY = '~/semantic/overlay'
_SHOWN = {
    'classes': '~/semantic/image',
    'entropy': '~/semantic/uncertainty',
    'depth': '~/depth/image',
    'depth_std': '~/depth/uncertainty',
    'instances': '~/instance/image',
}
"""Topics that show a field of a Prediction as it is."""


def recorded_name(topic: str) -> str:
    """The full name of a topic that is named relative to the node, such as '~/depth/image'."""
    return topic.replace('~', NODE_NAME, 1)


def recorded_topics(info: CheckpointInfo) -> list[MapTopic]:
    """The topics that are recorded of a network; not those that a node's own limits decide on."""
    return [topic for topic in MAP_TOPICS if topic.is_of(info.tasks) and not topic.is_limited]


def read_maps(bag: Bag, time_ns: int, stamp_ns: int) -> tuple[Prediction, np.ndarray | None]:
    """The maps of a frame.

    Args:
        bag: A recording of the node's maps, filed under the times of the images.
        time_ns: When the image was recorded.
        stamp_ns: Its stamp, which tells it from others of that time.

    Returns:
        The maps, all None where it has none of the frame; and the overlay, RGB uint8 (H, W, 3).

    Raises:
        BagError: If the recording is damaged.
    """
    fields = {recorded_name(topic): field for field, topic in _SHOWN.items()}
    names = [*fields, recorded_name(_OVERLAY)]
    found: dict[str, BagMessage] = {}
    for message in bag.messages(
        [name for name in names if name in bag.topics], time_ns, time_ns + 1
    ):
        if message.topic not in found or header_stamp_ns(message.data) == stamp_ns:
            found[message.topic] = message
    overlay = found.pop(recorded_name(_OVERLAY), None)
    maps = {fields[name]: _pixels(message) for name, message in found.items()}
    return Prediction(**maps), None if overlay is None else _pixels(overlay)


def _pixels(message: BagMessage) -> np.ndarray:
    try:
        return image_to_cvimage(decode(message))
    except (ImageError, TypeError, ValueError) as error:
        raise BagError(f"a map on '{message.topic}' cannot be read: {error}") from error
