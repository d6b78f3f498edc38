"""The recorder of the demo: the camera and the node's maps, and which frames are complete."""

import importlib
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from rclpy.node import Node, NodeNameNonExistentError
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos

from emuformer_ros.bags.cameras import CAMERA_INFO, CameraFrame
from emuformer_ros.bags.reading import header_stamp_ns
from emuformer_ros.bags.writing import McapBag, offered_qos
from emuformer_ros.demo.player import CAMERA_QOS, Player
from emuformer_ros.maps.outputs import MAP_TOPICS

_QUEUE_DEPTH = 30
"""Messages a topic may wait while others are handled; the node makes one per frame."""

_UNWRITTEN_MESSAGES = 200
"""Messages that may wait for the disk."""


@dataclass
class FrameRecord:
    """How far a published frame has come.

    Attributes:
        stamp_ns: The stamp of the image and of its maps.
        time_ns: When the image was recorded; its maps are filed under this time too, so that the
            recording plays at the camera's rate, however slow the node was.
        missing: Topics that have not answered yet.
        published_s: When it was published, on the clock of time.monotonic.
        completed_s: When the last map arrived, on the same clock.
        recorded: Whether its messages are kept.
    """

    stamp_ns: int
    time_ns: int
    missing: set[str]
    published_s: float = 0.0
    completed_s: float | None = None
    recorded: bool = True

    def is_complete(self) -> bool:
        """Whether every topic has answered."""
        return self.completed_s is not None

    @property
    def latency_s(self) -> float:
        """From publishing the image to the arrival of its last map, for a complete frame."""
        return self.completed_s - self.published_s


class Recorder:
    """Records the camera and the maps of the node, as the evaluation of bags does.

    Use it as a context manager: at its end, everything that came in has been written.

    Attributes:
        topics: Message types of the node's map topics, by topic.
        frames: The frames that were expected, in order.
    """

    def __init__(self, node: Node, bag: McapBag, player: Player, image_type: str) -> None:
        self.topics: dict[str, str] = {}
        self.frames: list[FrameRecord] = []
        self._node = node
        self._bag = bag
        self._player = player
        self._by_stamp: dict[int, FrameRecord] = {}
        self._camera_info_waived = False
        self._writer = ThreadPoolExecutor(1, 'recorder')
        self._unwritten: deque[Future] = deque()
        camera_qos = [_recorded_qos(CAMERA_QOS)]
        bag.add_topic(player.image_topic, image_type, camera_qos)
        bag.add_topic(player.camera_info_topic, CAMERA_INFO, camera_qos)

    def discover(self, name: str, namespace: str) -> bool:
        """Subscribe to the map topics of a node; whether there were new ones."""
        known = set(self.topics)
        try:
            published = self._node.get_publisher_names_and_types_by_node(name, namespace)
        except NodeNameNonExistentError:
            return False  # not discovered yet, or gone: whoever waits for its maps will tell
        node_name = f'{namespace.rstrip("/")}/{name}'
        recorded = {t.name.replace('~', node_name, 1) for t in MAP_TOPICS if not t.is_limited}
        for topic, (msgtype, *_) in published:
            if topic in recorded - known:
                self._subscribe(topic, msgtype)
        return set(self.topics) != known

    def expect(self, frame: CameraFrame, recorded: bool = True) -> FrameRecord:
        """Record a frame that is about to be published, and wait for its maps."""
        missing = set(self.topics)
        if self._camera_info_waived or frame.camera_info is None:
            missing -= self._camera_info_topics()
        record = FrameRecord(frame.stamp_ns, frame.image.time_ns, missing, recorded=recorded)
        self._by_stamp[frame.stamp_ns] = record
        if recorded:
            self.frames.append(record)
            if frame.camera_info is not None:
                self._write(self._player.camera_info_topic, record, frame.camera_info.data)
            self._write(self._player.image_topic, record, frame.image.data)
        return record

    def waive_camera_info(self, record: FrameRecord) -> bool:
        """Wait for no CameraInfo from now on; whether nothing else of this frame is missing."""
        self._camera_info_waived = (
            bool(self.topics) and record.missing <= self._camera_info_topics()
        )
        return self._camera_info_waived

    def __enter__(self) -> 'Recorder':
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            while self._unwritten and error is None:
                self._unwritten.popleft().result()
        finally:
            self._writer.shutdown(cancel_futures=True)

    def _camera_info_topics(self) -> set[str]:
        return {topic for topic, msgtype in self.topics.items() if msgtype == CAMERA_INFO}

    def _subscribe(self, topic: str, msgtype: str) -> None:
        offered = self._node.get_publishers_info_by_topic(topic)[0].qos_profile
        self._bag.add_topic(topic, msgtype, [_recorded_qos(offered)])
        self.topics[topic] = msgtype
        self._node.create_subscription(
            _message_class(msgtype),
            topic,
            lambda data: self._receive(topic, data),
            QoSProfile(depth=_QUEUE_DEPTH, reliability=offered.reliability),
            raw=True,
        )

    def _receive(self, topic: str, data: bytes) -> None:
        arrived_s = time.monotonic()
        record = self._by_stamp.get(header_stamp_ns(data))
        if record is None:
            return
        record.missing.discard(topic)
        if not record.missing and not record.is_complete():
            record.completed_s = arrived_s
        if record.recorded:
            self._write(topic, record, data)

    def _write(self, topic: str, record: FrameRecord, data: bytes) -> None:
        # Compression takes about as long as a small network: it must not delay what arrives next.
        while self._unwritten and (
            self._unwritten[0].done() or len(self._unwritten) >= _UNWRITTEN_MESSAGES
        ):
            self._unwritten.popleft().result()
        written = self._writer.submit(self._bag.write, topic, record.time_ns, data)
        self._unwritten.append(written)


def _message_class(msgtype: str) -> type:
    package, _, name = msgtype.split('/')
    return getattr(importlib.import_module(f'{package}.msg'), name)


def _recorded_qos(qos: QoSProfile) -> Qos:
    return offered_qos(
        depth=qos.depth or 10,  # Not told by the graph of every distribution.
        reliable=qos.reliability == ReliabilityPolicy.RELIABLE,
        latched=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
    )
