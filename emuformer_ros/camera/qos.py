"""Quality of service of the node's topics, and how a user overrides it.

By ROS parameters, such as qos_overrides./camera/image_raw.subscription.depth or
qos_overrides./perception/depth/image.publisher.reliability, given where the node is started.
"""

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind
from rclpy.qos_overriding_options import QoSOverridingOptions

POLICIES = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
"""What can be overridden of every topic."""


def overridable(policies: tuple[QoSPolicyKind, ...] = POLICIES) -> QoSOverridingOptions:
    """For create_publisher and create_subscription: the user may override these policies.

    They raise RuntimeError where the user's value is none of the policy's, and
    InvalidParameterTypeException where it is of another type.
    """
    return QoSOverridingOptions(policies)


def subscription_reliability(node: Node, topic: str) -> str:
    """The reliability that a user gives a subscription; empty where none is given.

    rclpy's own parameter has a default, which cannot be told from what a user gives.

    Args:
        node: The node that subscribes.
        topic: Full name of the topic.

    Raises:
        ValueError: If it is something else.
    """
    name = f'qos_overrides.{topic}.subscription.reliability'
    if not node.has_parameter(name):
        description = f"Of the subscription to '{topic}'; empty for that of 'reliability'."
        node.declare_parameter(
            name, '', ParameterDescriptor(description=description, read_only=True)
        )
    value = node.get_parameter(name).value
    if value not in ('', 'reliable', 'best_effort'):
        raise ValueError(f"{name} cannot be '{value}': choose 'reliable' or 'best_effort'")
    return value
