"""The camera of the demo: recorded frames, published as they were serialised."""

import time
from dataclasses import replace

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emuformer_ros.bags.cameras import COMPRESSED_IMAGE, CameraFrame
from emuformer_ros.bags.reading import with_header_stamp
from emuformer_ros.image_topics import COMPRESSED_SUFFIX, base_topic, camera_info_sibling

CAMERA_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""What the demo's camera offers."""


class Player:
    """Publishes the frames of a camera.

    Attributes:
        base_topic: The image topic that the node is given.
        image_topic: Where images go: the base topic, or its compressed form.
        camera_info_topic: Where the CameraInfo goes.
    """

    def __init__(self, node: Node, recorded_topic: str, msgtype: str) -> None:
        compressed = msgtype == COMPRESSED_IMAGE
        self.base_topic = base_topic(recorded_topic)
        self.image_topic = self.base_topic + (COMPRESSED_SUFFIX if compressed else '')
        self.camera_info_topic = camera_info_sibling(self.base_topic)
        message = CompressedImage if compressed else Image
        self._images = node.create_publisher(message, self.image_topic, CAMERA_QOS)
        self._infos = node.create_publisher(CameraInfo, self.camera_info_topic, CAMERA_QOS)

    def is_connected(self) -> bool:
        """Whether a subscriber to both topics is known."""
        return bool(self._images.get_subscription_count() and self._infos.get_subscription_count())

    def publish(self, frame: CameraFrame) -> float:
        """Publish a frame, its CameraInfo first.

        Returns:
            When the image went out, on the clock of time.monotonic.
        """
        if frame.camera_info is not None:
            self._infos.publish(frame.camera_info.data)
        published_s = time.monotonic()
        self._images.publish(frame.image.data)
        return published_s


def restamped(frame: CameraFrame, stamp_ns: int) -> CameraFrame:
    """A copy of a frame with another stamp in image and CameraInfo."""
    image = replace(frame.image, data=with_header_stamp(frame.image.data, stamp_ns))
    info = frame.camera_info
    if info is not None:
        info = replace(info, data=with_header_stamp(info.data, stamp_ns))
    return CameraFrame(image, info, stamp_ns)
