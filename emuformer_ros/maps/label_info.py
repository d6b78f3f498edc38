"""The names of the classes as a message, which Nav2's semantic segmentation layer waits for."""

from typing import TYPE_CHECKING, Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.camera.camera_names import map_topic_name
from emuformer_ros.camera.qos import overridable

if TYPE_CHECKING:
    from vision_msgs.msg import LabelInfo

LABEL_INFO_TOPIC = '~/semantic/label_info'
LABEL_INFO_TYPE = 'vision_msgs/LabelInfo'
LABEL_INFO_DESCRIPTION = 'the names of the class ids, latched; only where vision_msgs is installed'


def label_info_class() -> 'type[LabelInfo] | None':
    """The message class; None where vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo
    except ImportError:
        return None
    return LabelInfo


def label_info_message(info: CheckpointInfo, header: Header) -> 'LabelInfo':
    """Which id in ~/semantic/image is which class.

    Args:
        info: Of a checkpoint with classes.
        header: When the message is made; the classes belong to no frame.

    Returns:
        An entry for each class, in id order. 255 is unlabelled by the message's definition and
        not among them; the threshold is 0, because pixels are classified however uncertain.

    Raises:
        ImportError: If vision_msgs is not installed.
    """
    from vision_msgs.msg import LabelInfo, VisionClass

    classes = [
        VisionClass(class_id=number, class_name=name)
        for number, name in enumerate(info.class_names)
    ]
    return LabelInfo(header=header, class_map=classes, threshold=0.0)


def publish_label_info(node: Node, camera: str, info: CheckpointInfo) -> Publisher | None:
    """Name the classes on a camera's topic, for as long as the publisher is there.

    Returns:
        None where vision_msgs is not installed, or the network has no classes.
    """
    if label_info_class() is None or not info.class_names:
        return None
    header = Header(stamp=node.get_clock().now().to_msg())
    message = label_info_message(info, header)
    return publish_latched(node, map_topic_name(LABEL_INFO_TOPIC, camera), message)


def publish_latched(node: Node, topic: str, message: Any) -> Publisher:
    """Publish a message that whoever subscribes later gets too, while the publisher is there."""
    qos = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    publisher = node.create_publisher(
        type(message), topic, qos, qos_overriding_options=overridable()
    )
    publisher.publish(message)
    return publisher
