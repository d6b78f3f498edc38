"""The node's subscriptions to one camera: its images and its CameraInfo."""

import threading
import time
from collections.abc import Callable, Iterable

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# The executor empties the queue into the mailbox at once; it is long enough for a burst, so that
# what is dropped is dropped there and counted.
_IMAGE_QUEUE = 10
_ADAPT_PERIOD_S = 1.0


def camera_topics(node: LifecycleNode, transport: str) -> tuple[str, str]:
    """Full names of the image topic and of the CameraInfo topic that goes with it.

    The latter is beside the image topic, as image_transport has it, unless `camera_info` is
    remapped.
    """
    image = node.resolve_topic_name('image')
    info = node.resolve_topic_name('camera_info')
    if info == node.resolve_topic_name('camera_info', only_expand=True):
        info = f'{image.rpartition("/")[0]}/camera_info'
    return (f'{image}/compressed' if transport == 'compressed' else image), info


def choose_reliability(
    setting: str, offered: Iterable[ReliabilityPolicy], current: ReliabilityPolicy
) -> ReliabilityPolicy:
    """The reliability to subscribe with.

    A reliable subscription gets nothing from a best-effort publisher, and a best-effort one loses
    large images: so 'auto' is reliable where every publisher offers it.

    Args:
        setting: 'auto', 'reliable' or 'best_effort'.
        offered: What the publishers there are offer.
        current: What to stay with while there is no publisher.
    """
    if setting != 'auto':
        return ReliabilityPolicy[setting.upper()]
    offered = list(offered)
    if not offered:
        return current
    every = all(policy == ReliabilityPolicy.RELIABLE for policy in offered)
    return ReliabilityPolicy.RELIABLE if every else ReliabilityPolicy.BEST_EFFORT


class CameraInput:
    """Subscribes to one camera.

    Args:
        node: The node that the subscriptions are of.
        transport: 'raw' or 'compressed'.
        reliability: 'auto', 'reliable' or 'best_effort'.
        on_image: Called in the executor with every image message.

    Attributes:
        image_topic: Full name of the subscribed image topic.
        info_topic: Full name of the subscribed CameraInfo topic.
        subscribed_at_s: When the subscription began, in seconds of time.monotonic.
    """

    def __init__(
        self,
        node: LifecycleNode,
        transport: str,
        reliability: str,
        on_image: Callable[[Image | CompressedImage], None],
    ) -> None:
        image_topic, info_topic = camera_topics(node, transport)
        self.subscribed_at_s = time.monotonic()
        self._node = node
        self._type = CompressedImage if transport == 'compressed' else Image
        self._setting = reliability
        self._on_image = on_image
        self._info: CameraInfo | None = None
        self._info_arrived = threading.Event()
        self._reliability = choose_reliability(reliability, (), ReliabilityPolicy.RELIABLE)
        self._images = self._subscribe(image_topic)
        # Best effort matches any publisher, and a message this small is not lost.
        self._infos = node.create_subscription(
            CameraInfo,
            info_topic,
            self._on_info,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
        )
        # Not the node's clock: publishers come and go while simulated time stands still.
        self._timer = node.create_timer(
            _ADAPT_PERIOD_S, self.adapt_reliability, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self.image_topic = self._images.topic_name
        self.info_topic = self._infos.topic_name

    @property
    def image_publishers(self) -> int:
        """How many publishers the image topic has."""
        return self._node.count_publishers(self.image_topic)

    @property
    def info_publishers(self) -> int:
        """How many publishers the CameraInfo topic has."""
        return self._node.count_publishers(self.info_topic)

    def info(self, timeout_s: float) -> CameraInfo | None:
        """The latest CameraInfo, waiting for the first one if need be; None if none came."""
        self._info_arrived.wait(timeout_s)
        return self._info

    def adapt_reliability(self) -> None:
        """Subscribe anew if the publishers that are there now call for another reliability."""
        publishers = self._node.get_publishers_info_by_topic(self.image_topic)
        wanted = choose_reliability(
            self._setting, (p.qos_profile.reliability for p in publishers), self._reliability
        )
        if wanted != self._reliability:
            self._reliability = wanted
            self._node.destroy_subscription(self._images)
            self._images = self._subscribe(self.image_topic)
            self._node.get_logger().info(
                f"'{self.image_topic}' is published {wanted.name.lower()}: subscribed likewise"
            )

    def silence(self) -> str:
        """Why no image may be arriving, and what to do."""
        publishers = self._node.get_publishers_info_by_topic(self.image_topic)
        if not publishers:
            return (
                f"nobody publishes '{self.image_topic}': start the camera, or remap 'image' to "
                'its topic'
            )
        other = {p.topic_type for p in publishers} - {f'sensor_msgs/msg/{self._type.__name__}'}
        if other:
            return (
                f"'{self.image_topic}' is {', '.join(sorted(other))}, not sensor_msgs/msg/"
                f"{self._type.__name__}: remap 'image' to an image topic, or set image_transport"
            )
        offered = {p.qos_profile.reliability for p in publishers}
        if (
            self._reliability == ReliabilityPolicy.RELIABLE
            and ReliabilityPolicy.BEST_EFFORT in offered
        ):
            return (
                f"'{self.image_topic}' is published best effort and the subscription is "
                "reliable, so that they do not match: set the parameter reliability to 'auto'"
            )
        return (
            f"'{self.image_topic}' has a publisher but no image arrives: check that the camera "
            'runs; if its images are large and best effort, the DDS transport may lose them: give '
            "the camera's process this package's Fast DDS profile too, or publish reliably"
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._images)
        self._node.destroy_subscription(self._infos)

    def _subscribe(self, topic: str) -> Subscription:
        return self._node.create_subscription(
            self._type,
            topic,
            self._on_image,
            QoSProfile(depth=_IMAGE_QUEUE, reliability=self._reliability),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=lambda _: self.adapt_reliability(),
                use_default_callbacks=False,
            ),
        )

    def _on_info(self, info: CameraInfo) -> None:
        self._info = info
        self._info_arrived.set()
