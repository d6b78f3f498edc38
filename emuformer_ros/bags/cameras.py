"""Cameras in a recording: which topic has the image, and its frames one by one."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from emuformer_ros.bags.reading import Bag, BagError, BagMessage, decode, header_stamp_ns
from emuformer_ros.image_topics import COMPRESSED_SUFFIX, base_topic, camera_info_sibling

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'

_NOT_PHOTOGRAPHS = ('compressedDepth', 'theora', 'ffmpeg')
"""Transports that carry depth, or frames that cannot be decoded one by one."""


@dataclass(frozen=True)
class CameraFrame:
    """A recorded image with the camera's intrinsics.

    Attributes:
        image: The Image or CompressedImage message.
        camera_info: The CameraInfo message with the image's stamp, else the latest before it;
            None where the recording has none.
        stamp_ns: The image's header stamp in nanoseconds.
    """

    image: BagMessage
    camera_info: BagMessage | None
    stamp_ns: int


def find_image_topic(bag: Bag, topic: str | None = None) -> str:
    """The topic that has the camera's images.

    Args:
        bag: The recording.
        topic: The topic asked for: the image's, or that of which only the compressed form was
            recorded. None takes the only camera there is: colour images before grey ones, raw
            before compressed; depth maps do not count.

    Raises:
        BagError: If the topic is missing or has no images, or there is not exactly one candidate.
    """
    if topic:
        return _asked_for(bag, topic)
    candidates = _photographs(bag)
    raw = {name for name in candidates if bag.topics[name].msgtype == IMAGE}
    candidates = [name for name in candidates if name in raw or base_topic(name) not in raw]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise BagError(
            f"'{bag.path}' has {len(candidates)} image topics: choose one of "
            f'{", ".join(candidates)}'
        )
    raise BagError(f"'{bag.path}' has no camera images, only {bag.listing()}")


def find_camera_info_topic(bag: Bag, image_topic: str) -> str | None:
    """The CameraInfo topic beside an image topic, None if it was not recorded."""
    sibling = camera_info_sibling(image_topic)
    known = bag.topics.get(sibling)
    return sibling if known and known.msgtype == CAMERA_INFO else None


def image_encoding(bag: Bag, topic: str) -> str:
    """The encoding of the first Image on a topic that can be read; '' where none can be."""
    for message in bag.messages([topic]):
        with suppress(BagError):
            return decode(message).encoding
    return ''


def camera_frames(bag: Bag, image_topic: str) -> Iterator[CameraFrame]:
    """The frames of a camera, in the order they were recorded.

    Recorders often write an image's CameraInfo just after it, so a frame is handed out when the
    next image is read; memory does not grow with the recording.

    Raises:
        BagError: If the topic is missing, or the recording is damaged.
    """
    info_topic = find_camera_info_topic(bag, image_topic)
    image: BagMessage | None = None
    earlier: BagMessage | None = None
    recent: list[BagMessage] = []
    for message in bag.messages([image_topic, *([info_topic] if info_topic else [])]):
        if message.topic == info_topic:
            recent.append(message)
            continue
        if image is not None:
            frame = _frame(image, earlier, recent)
            earlier, recent = frame.camera_info, _not_before(image, recent)
            yield frame
        image = message
    if image is not None:
        yield _frame(image, earlier, recent)


def _frame(image: BagMessage, earlier: BagMessage | None, recent: list[BagMessage]) -> CameraFrame:
    stamp_ns = header_stamp_ns(image.data)
    same = [info for info in recent if header_stamp_ns(info.data) == stamp_ns]
    before = [info for info in recent if info.time_ns <= image.time_ns]
    # The first image of a recording may come before any CameraInfo; the first one is close.
    nearest = same[-1:] or before[-1:] or ([earlier] if earlier else recent[:1])
    return CameraFrame(image, nearest[0] if nearest else None, stamp_ns)


def _not_before(image: BagMessage, infos: list[BagMessage]) -> list[BagMessage]:
    return [info for info in infos if info.time_ns >= image.time_ns]


def _asked_for(bag: Bag, topic: str) -> str:
    compressed = topic + COMPRESSED_SUFFIX
    if topic not in bag.topics and compressed in bag.topics:
        topic = compressed
    msgtype = bag.require(topic).msgtype
    if msgtype not in (IMAGE, COMPRESSED_IMAGE):
        raise BagError(
            f"'{topic}' in '{bag.path}' is {msgtype}, not {IMAGE} or {COMPRESSED_IMAGE}: choose "
            f'an image topic of {bag.listing()}'
        )
    if not bag.topics[topic].count:
        raise BagError(f"'{topic}' in '{bag.path}' has no messages, only {bag.listing()}")
    return topic


def _photographs(bag: Bag) -> list[str]:
    """Topics with colour images, or those with grey images where there is no colour."""
    kinds: dict[str, list[str]] = {'colour': [], 'grey': [], 'other': []}
    for name, topic in bag.topics.items():
        if topic.count and topic.msgtype in (IMAGE, COMPRESSED_IMAGE):
            kinds[_kind(bag, name, topic.msgtype)].append(name)
    return kinds['colour'] or kinds['grey']


def _kind(bag: Bag, topic: str, msgtype: str) -> str:
    if msgtype == COMPRESSED_IMAGE:
        return 'other' if topic.endswith(_NOT_PHOTOGRAPHS) else 'colour'
    encoding = image_encoding(bag, topic).lower()
    if encoding == 'mono8':
        return 'grey'
    return 'colour' if encoding.startswith(_COLOUR_ENCODINGS) else 'other'


_COLOUR_ENCODINGS = ('rgb', 'bgr', 'bayer', 'yuv', 'yuyv', 'uyvy', 'nv', '8uc3', '8uc4')
"""How the names of sensor_msgs' colour encodings start; depth is 16UC1, 32FC1 or mono16."""
