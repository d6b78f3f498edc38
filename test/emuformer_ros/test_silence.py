"""What a user is told when no image arrives."""

from types import SimpleNamespace

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from emuformer_ros.health.silence import why_no_image, why_no_info

IMAGE = 'sensor_msgs/msg/Image'
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def why(qos=RELIABLE, *offered, topic_type=IMAGE):
    publishers = [SimpleNamespace(topic_type=topic_type, qos_profile=each) for each in offered]
    return why_no_image('/front/image_raw', 'front/image', IMAGE, qos, publishers)


def test_without_a_publisher_the_camera_or_the_remapping_is_missing():
    assert why() == (
        "nobody publishes '/front/image_raw': start the camera, or remap 'front/image' to its "
        'topic'
    )


def test_another_type_is_named():
    reason = why(RELIABLE, RELIABLE, topic_type='sensor_msgs/msg/CompressedImage')

    assert 'is sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image' in reason
    assert 'or set image_transport' in reason


@pytest.mark.parametrize(
    ('asked', 'offered', 'words'),
    [
        (RELIABLE, BEST_EFFORT, "set the parameter reliability to 'auto'"),
        (LATCHED, RELIABLE, 'volatile publisher and transient local subscription'),
    ],
)
def test_a_quality_of_service_that_does_not_match_is_named(asked, offered, words):
    assert words in why(asked, offered)


@pytest.mark.parametrize(
    ('asked', 'offered'), [(BEST_EFFORT, RELIABLE), (RELIABLE, LATCHED), (RELIABLE, RELIABLE)]
)
def test_where_everything_matches_camera_and_transport_are_left(asked, offered):
    assert 'check that the camera runs' in why(asked, offered)


def test_one_publisher_that_matches_is_enough():
    assert 'check that the camera runs' in why(RELIABLE, BEST_EFFORT, RELIABLE)


@pytest.mark.parametrize(
    ('asked', 'offered', 'words'),
    [
        (BEST_EFFORT, [], 'none has arrived: publish it'),
        (BEST_EFFORT, [RELIABLE], 'none has arrived: publish it'),
        (RELIABLE, [BEST_EFFORT], 'it is published with another quality of service (best effort'),
        (BEST_EFFORT, [LATCHED], 'qos_overrides./info.subscription.durability to transient_local'),
        (LATCHED, [RELIABLE], 'volatile publisher and transient local subscription'),
    ],
)
def test_why_no_camera_info_arrives_is_named(asked, offered, words):
    publishers = [SimpleNamespace(qos_profile=each) for each in offered]
    assert words in why_no_info('/info', asked, publishers)
