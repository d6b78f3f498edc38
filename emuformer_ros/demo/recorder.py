"""The recorder of the demo: the camera and the node's maps, and which frames are complete."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos

from emuformer_ros.bags.cameras import CAMERA_INFO, CameraFrame
from emuformer_ros.bags.maps import recorded_name
from emuformer_ros.bags.reading import header_stamp_ns
from emuformer_ros.bags.writing import McapBag, offered_qos
from emuformer_ros.demo.player import CAMERA_QOS, Player
from emuformer_ros.maps.outputs import MapTopic

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

    Args:
        node: Hears the maps.
        bag: Takes everything.
        player: The camera.
        image_type: Message type of its images.
        topics: The map topics to record; the perception node publishes all of them.

    Attributes:
        frames: The frames that were expected, in order.
    """

    def __init__(
        self,
        node: Node,
        bag: McapBag,
        player: Player,
        image_type: str,
        topics: Sequence[MapTopic],
    ) -> None:
        self.frames: list[FrameRecord] = []
        self._node = node
        self._bag = bag
        self._player = player
        self._topics = {recorded_name(topic.name): topic for topic in topics}
        self._undiscovered = set(self._topics)
        self._by_stamp: dict[int, FrameRecord] = {}
        self._camera_info_waived = False
        self._writer = ThreadPoolExecutor(1, 'recorder')
        self._unwritten: deque[Future] = deque()
        camera_qos = [_recorded_qos(CAMERA_QOS)]
        bag.add_topic(player.image_topic, image_type, camera_qos)
        bag.add_topic(player.camera_info_topic, CAMERA_INFO, camera_qos)

    def discover(self) -> bool:
        """Subscribe to the map topics that have come to be known; whether all of them have."""
        for topic in sorted(self._undiscovered):
            publishers = self._node.get_publishers_info_by_topic(topic)
            if publishers:
                self._subscribe(topic, publishers[0].qos_profile)
                self._undiscovered.remove(topic)
        return not self._undiscovered

    def expect(self, frame: CameraFrame, recorded: bool = True) -> FrameRecord:
        """Record a frame that is about to be published, and wait for its maps."""
        missing = set(self._topics)
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
            not self._undiscovered and record.missing <= self._camera_info_topics()
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
        return {name for name, topic in self._topics.items() if topic.msgtype == CAMERA_INFO}

    def _subscribe(self, topic: str, offered: QoSProfile) -> None:
        self._bag.add_topic(topic, self._topics[topic].msgtype, [_recorded_qos(offered)])
        self._node.create_subscription(
            self._topics[topic].message_type,
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


def _recorded_qos(qos: QoSProfile) -> Qos:
    return offered_qos(
        depth=qos.depth or 10,  # Not told by the graph of every distribution.
        reliable=qos.reliability == ReliabilityPolicy.RELIABLE,
        latched=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
    )
