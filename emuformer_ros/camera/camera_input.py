"""The node's subscriptions to one camera: its images and its CameraInfo."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emuformer_ros.camera.camera_names import camera_info_name, image_name
from emuformer_ros.camera.qos import POLICIES, overridable, subscription_reliability
from emuformer_ros.health.silence import why_no_image, why_no_info
from emuformer_ros.image_topics import COMPRESSED_SUFFIX, base_topic, camera_info_sibling

try:
    from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks

# The executor empties the queue into the mailbox at once; it is long enough for a burst, so that
# what is dropped is dropped there and counted.
_IMAGE_QUEUE = 10
_ADAPT_PERIOD_S = 1.0

_IMAGE_POLICIES = tuple(kind for kind in POLICIES if kind != QoSPolicyKind.RELIABILITY)
"""Without the reliability, which changes with the publishers unless a user gives it."""


def camera_topics(node: LifecycleNode, camera: str, transport: str) -> tuple[str, str]:
    """Names to subscribe to a camera's images by, and to the CameraInfo that goes with them.

    They are as create_subscription takes them, which remaps them: once resolved, a name that is
    another's remapping would be remapped again. The CameraInfo is beside the image topic, as
    image_transport has it, unless `camera_info` is remapped.
    """
    image = image_name(camera)
    image_topic = node.resolve_topic_name(image)
    if transport == 'compressed':
        # Some remap to what image_transport adds, too.
        image_topic = base_topic(image_topic)
        image = image_topic + COMPRESSED_SUFFIX
    info = camera_info_name(camera)
    if node.resolve_topic_name(info) == node.resolve_topic_name(info, only_expand=True):
        info = camera_info_sibling(image_topic)
    return image, info


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
        camera: Name of the camera; empty for a node's only one.
        transport: 'raw' or 'compressed'.
        reliability: 'auto', 'reliable' or 'best_effort'.
        on_image: Called in the executor with every image message.

    Raises:
        ValueError, RuntimeError, InvalidParameterTypeException: If a user's override of a
            subscription's quality of service is not allowed.

    Attributes:
        image_topic: Full name of the subscribed image topic.
        info_topic: Full name of the subscribed CameraInfo topic.
        subscribed_at_s: When the subscription began, in seconds of time.monotonic.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        transport: str,
        reliability: str,
        on_image: Callable[[Image | CompressedImage], None],
    ) -> None:
        self._subscribed_name, info_name = camera_topics(node, camera, transport)
        self._name = image_name(camera)
        self.image_topic = node.resolve_topic_name(self._subscribed_name)
        self.info_topic = node.resolve_topic_name(info_name)
        self.subscribed_at_s = time.monotonic()
        self._node = node
        self._type = CompressedImage if transport == 'compressed' else Image
        self._setting = subscription_reliability(node, self.image_topic) or reliability
        self._on_image = on_image
        self._info: CameraInfo | None = None
        self._info_arrived = threading.Condition()
        self._reliability = choose_reliability(self._setting, (), ReliabilityPolicy.RELIABLE)
        with contextlib.ExitStack() as made:
            # Best effort matches any publisher, and a message this small is not lost.
            self._infos = node.create_subscription(
                CameraInfo,
                info_name,
                self._on_info,
                QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
                qos_overriding_options=overridable(),
            )
            made.callback(node.destroy_subscription, self._infos)
            self._images = self._subscribe()
            made.callback(lambda: node.destroy_subscription(self._images))
            # Not the node's clock: publishers come and go while simulated time stands still.
            self._timer = node.create_timer(
                _ADAPT_PERIOD_S,
                self.adapt_reliability,
                clock=Clock(clock_type=ClockType.STEADY_TIME),
            )
            made.callback(node.destroy_timer, self._timer)
            self._made = made.pop_all()

    @property
    def image_publishers(self) -> int:
        """How many publishers the image topic has."""
        return self._node.count_publishers(self.image_topic)

    @property
    def info_publishers(self) -> int:
        """How many publishers the CameraInfo topic has."""
        return self._node.count_publishers(self.info_topic)

    def info(self, until_s: float, fits: Callable[[CameraInfo], bool]) -> CameraInfo | None:
        """The latest CameraInfo, even if it does not fit; None if none came.

        Args:
            until_s: How long to wait for one that fits, on the clock of time.monotonic.
            fits: Whether a CameraInfo does.
        """
        with self._info_arrived:
            self._info_arrived.wait_for(
                lambda: self._info is not None and fits(self._info),
                max(until_s - time.monotonic(), 0.0),
            )
            return self._info

    def why_no_info(self) -> str:
        """Why no CameraInfo may have arrived, and what to do."""
        publishers = self._node.get_publishers_info_by_topic(self.info_topic)
        return why_no_info(self.info_topic, self._infos.qos_profile, publishers)

    def adapt_reliability(self) -> None:
        """Subscribe anew if the publishers that are there now call for another reliability."""
        publishers = self._node.get_publishers_info_by_topic(self.image_topic)
        wanted = choose_reliability(
            self._setting, (p.qos_profile.reliability for p in publishers), self._reliability
        )
        if wanted != self._reliability:
            self._reliability = wanted
            self._node.destroy_subscription(self._images)
            self._images = self._subscribe()
            self._node.get_logger().info(
                f"'{self.image_topic}' is published {wanted.name.lower()}: subscribed likewise"
            )

    def silence(self) -> str:
        """Why no image may be arriving, and what to do."""
        return why_no_image(
            self.image_topic,
            self._name,
            f'sensor_msgs/msg/{self._type.__name__}',
            self._images.qos_profile,
            self._node.get_publishers_info_by_topic(self.image_topic),
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._made.close()

    def _subscribe(self) -> Subscription:
        return self._node.create_subscription(
            self._type,
            self._subscribed_name,
            self._on_image,
            QoSProfile(depth=_IMAGE_QUEUE, reliability=self._reliability),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible_qos,
                use_default_callbacks=False,
            ),
            qos_overriding_options=overridable(_IMAGE_POLICIES),
        )

    def _on_incompatible_qos(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        """Subscribe as the new publisher offers, or say why it cannot be heard."""
        images = self._images
        self.adapt_reliability()
        if self._images is images:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self._node.get_logger().warning(
                f"a publisher of '{self.image_topic}' is not heard, because its {policy} does not "
                "match the subscription's: see /diagnostics"
            )

    def _on_info(self, info: CameraInfo) -> None:
        with self._info_arrived:
            self._info = info
            self._info_arrived.notify()
