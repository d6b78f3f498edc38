"""One camera of the node: where its images come from, where its maps go, and how it fares."""

import time
from dataclasses import dataclass

from rclpy.lifecycle import LifecycleNode
from rclpy.logging import get_logger
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.camera.camera_input import CameraInput
from emuformer_ros.camera.camera_names import map_topic_name
from emuformer_ros.camera.mailbox import Slot
from emuformer_ros.camera.qos import overridable
from emuformer_ros.health.frame_statistics import FrameStatistics
from emuformer_ros.health.input_health import InputHealth
from emuformer_ros.health.uncertainty_watch import UncertaintyWatch
from emuformer_ros.maps.label_info import publish_label_info
from emuformer_ros.maps.outputs import MAP_TOPICS, MapTopic

_OUTPUT_QUEUE = 5


@dataclass(frozen=True)
class Frame:
    """An image message.

    Attributes:
        camera: What took it.
        message: As it arrived.
        arrival_s: When it arrived, in seconds of time.monotonic.
        time_s: When it was taken, in seconds of ROS time: its stamp, or its arrival where it has
            none of its own.
    """

    camera: 'Camera'
    message: Image | CompressedImage
    arrival_s: float
    time_s: float


class Camera:
    """Subscribes to a camera while the node is active, and publishes its maps.

    Args:
        node: The node that it belongs to.
        name: What its topics are under; empty for a node's only camera, whose topics have no
            such part.
        info: Of the checkpoint; each task of the network has its topics.
        slot: Where its frames wait for the worker.

    Attributes:
        name: As given.
        logger: Says what is wrong with this camera; throttles by itself, so that another camera
            with the same fault is heard too.
        publishers: The topics that the network can serve.
        statistics: What happened to its frames.
        slot: As given; counts the frames that a later one replaced.
        input: Its subscriptions; None while the node is not active.
        depth_scale: What the network's depth is multiplied by: the camera's focal length over the
            checkpoint's, both at network size; 1 where one of them is not known.
        info_problem: Why the camera's focal length is not known; empty where it is.
        health: Judges its images as they arrive.
        watch: Its uncertainty alarm.
        limits_problem: Why it is not known which depth is reliable; empty where it is.
    """

    def __init__(
        self, node: LifecycleNode, name: str, info: CheckpointInfo, slot: Slot[Frame]
    ) -> None:
        self.name = name
        # Not a child of the node's: in Humble, what a child says does not reach /rosout.
        self.logger = get_logger(node.get_logger().name)
        self.statistics = FrameStatistics()
        self.slot = slot
        self.input: CameraInput | None = None
        self.depth_scale = 1.0
        self.info_problem = ''
        self.limits_problem = ''
        self.health = InputHealth(node, self.statistics, self.logger)
        self.watch = UncertaintyWatch(info, lambda name: node.get_parameter(name).value)
        self._node = node
        self._info = info
        self.publishers: dict[MapTopic, Publisher] = {}
        self._labels: Publisher | None = None

    def advertise(self) -> None:
        """Offer the map topics.

        Raises:
            RuntimeError, InvalidParameterTypeException: If a user's override of a topic's quality
                of service is not allowed.
        """
        for topic in MAP_TOPICS:
            if topic.is_of(self._info.tasks):
                self.publishers[topic] = self._node.create_lifecycle_publisher(
                    topic.message_type,
                    map_topic_name(topic.name, self.name),
                    QoSProfile(depth=_OUTPUT_QUEUE, reliability=ReliabilityPolicy.RELIABLE),
                    qos_overriding_options=overridable(),
                )
        self._labels = publish_label_info(self._node, self.name, self._info)

    def subscribers(self) -> dict[MapTopic, int]:
        """The topics that somebody subscribes to now, with the number of subscribers."""
        counts = {
            topic: publisher.get_subscription_count()
            for topic, publisher in self.publishers.items()
        }
        return {topic: count for topic, count in counts.items() if count > 0}

    def subscribe(self, transport: str, reliability: str) -> None:
        """Leave the camera's images in the slot from now on, as they arrive.

        Args:
            transport: 'raw' or 'compressed'.
            reliability: 'auto', 'reliable' or 'best_effort'.
        """
        self.input = CameraInput(self._node, self.name, transport, reliability, self._receive)

    def unsubscribe(self) -> None:
        """End the subscriptions, if there are any."""
        if self.input is not None:
            self.input.close()
        self.input = None
        self.watch.reset()

    def destroy(self) -> None:
        """End the subscriptions and the map topics."""
        self.unsubscribe()
        for publisher in self.publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self.publishers = {}
        if self._labels is not None:
            self._node.destroy_publisher(self._labels)
        self._labels = None

    def _receive(self, message: Image | CompressedImage) -> None:
        time_s = self.health.admit(message.header, self.input.image_topic)
        if time_s is not None:
            self.slot.put(Frame(self, message, time.monotonic(), time_s))
