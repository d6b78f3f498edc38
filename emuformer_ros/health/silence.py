"""Why no image or CameraInfo arrives, as the ROS graph shows it, and what to do."""

from collections.abc import Sequence

from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.topic_endpoint_info import TopicEndpointInfo


def why_no_image(
    topic: str,
    name: str,
    message_type: str,
    qos: QoSProfile,
    publishers: Sequence[TopicEndpointInfo],
) -> str:
    """Why no image may be arriving, and what to do.

    Args:
        topic: Full name of the image topic.
        name: What is remapped to it.
        message_type: What is subscribed to, such as 'sensor_msgs/msg/Image'.
        qos: What the subscription asks for.
        publishers: Of the topic.
    """
    if not publishers:
        return f"nobody publishes '{topic}': start the camera, or remap '{name}' to its topic"
    if other := {publisher.topic_type for publisher in publishers} - {message_type}:
        return (
            f"'{topic}' is {', '.join(sorted(other))}, not {message_type}: remap '{name}' to an "
            'image topic, or set image_transport'
        )
    mismatches = [qos_mismatch(publisher.qos_profile, qos) for publisher in publishers]
    if all(mismatches):
        return f"'{topic}' {mismatches[0]}"
    return (
        f"'{topic}' has a publisher but no image arrives: check that the camera runs; if its "
        'images are large and best effort, the DDS transport may lose them: give the '
        "camera's process this package's Fast DDS profile too, or publish reliably"
    )


def qos_mismatch(offered: QoSProfile, asked: QoSProfile) -> str:
    """Why a subscription does not match a publisher, and what to do; empty where it does."""
    if (offered.reliability, asked.reliability) == (
        ReliabilityPolicy.BEST_EFFORT,
        ReliabilityPolicy.RELIABLE,
    ):
        return (
            'is published best effort and the subscription is reliable, so that they do not '
            "match: set the parameter reliability to 'auto'"
        )
    return _incompatibility(offered, asked)


def why_no_info(topic: str, qos: QoSProfile, publishers: Sequence[TopicEndpointInfo]) -> str:
    """Why no CameraInfo may have arrived, and what to do.

    Args:
        topic: Full name of its topic.
        qos: What the subscription asks for.
        publishers: Of the topic.
    """
    offered = [publisher.qos_profile for publisher in publishers]
    mismatches = [_incompatibility(each, qos) for each in offered]
    if offered and all(mismatches):
        return f'it {mismatches[0]}'
    if any(each.durability == DurabilityPolicy.TRANSIENT_LOCAL for each in offered):
        overrides = f"the node's parameters qos_overrides.{topic}.subscription"
        return (
            'none has arrived, and its publisher keeps the last one for those who ask: publish '
            f'it with each image, or set {overrides}.durability to transient_local and '
            '.reliability to reliable'
        )
    return 'none has arrived: publish it'


def _incompatibility(offered: QoSProfile, asked: QoSProfile) -> str:
    compatibility, reasons = qos_check_compatible(offered, asked)
    if compatibility != QoSCompatibility.ERROR:
        return ''
    errors = [reason[7:].lower() for reason in reasons.split(';') if reason.startswith('ERROR: ')]
    return (
        f'is published with another quality of service ({"; ".join(errors)}): change it at the '
        "camera, or with the node's qos_overrides parameters"
    )
