"""Quality of service as the other end of a topic sees it, by default and overridden."""

import pytest
from frames import image_message, picture
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
OK, ERROR = b'\x00', b'\x02'


@pytest.fixture
def start(start_active, peer):
    """Starts an active node named 'overridden' with some overrides of QoS."""

    def start_with(overrides: dict[str, object], **parameters):
        qos = {f'qos_overrides.{name}': value for name, value in overrides.items()}
        return start_active(
            'overridden', parameters=parameters | qos, remaps={'image': '/rig/image_raw'}
        )

    return start_with


def subscribed(peer, topic: str) -> QoSProfile:
    """How the node subscribes to a topic."""
    infos = peer.wait_for(
        lambda: peer.node.get_subscriptions_info_by_topic(topic), f'a subscription to {topic}'
    )
    return infos[0].qos_profile


def published(peer, topic: str) -> QoSProfile:
    """How the node publishes a topic."""
    infos = peer.wait_for(
        lambda: [
            info
            for info in peer.node.get_publishers_info_by_topic(topic)
            if info.node_name == 'overridden'
        ],
        f'a publisher of {topic}',
    )
    return infos[0].qos_profile


def test_overrides_are_what_the_other_end_sees_and_the_rest_stays_as_it_is(start, peer):
    start(
        {
            '/rig/camera_info.subscription.reliability': 'reliable',
            '/rig/image_raw.subscription.reliability': 'best_effort',
            '/overridden/depth/uncertainty.publisher.reliability': 'best_effort',
            '/overridden/semantic/image.publisher.durability': 'transient_local',
            '/overridden/semantic/image.publisher.depth': 1,
            '/diagnostics.publisher.durability': 'transient_local',
        }
    )
    assert subscribed(peer, '/rig/camera_info').reliability == RELIABLE
    assert published(peer, '/overridden/depth/uncertainty').reliability == BEST_EFFORT
    assert published(peer, '/diagnostics').durability == LATCHED
    for topic in ('depth/image', 'semantic/overlay'):
        qos = published(peer, f'/overridden/{topic}')
        assert (qos.reliability, qos.durability) == (RELIABLE, VOLATILE)

    # A reliable camera would make a subscription reliable whose reliability is automatic.
    publisher = peer.publisher(Image, '/rig/image_raw', RELIABLE)
    maps = peer.collect(Image, '/overridden/semantic/image')
    for second in (11, 12):
        publisher.publish(image_message(picture(60, 80), second))
        peer.wait_for_messages([maps], second - 10, 'a map')
    assert subscribed(peer, '/rig/image_raw').reliability == BEST_EFFORT

    late: list[Image] = []
    qos = QoSProfile(depth=5, reliability=RELIABLE, durability=LATCHED)
    subscription = peer.node.create_subscription(
        Image, '/overridden/semantic/image', late.append, qos
    )
    peer.wait_for_messages([late], 1, 'the map that was published before')
    peer.node.destroy_subscription(subscription)
    assert late[0].header.stamp.sec == 12


@pytest.mark.parametrize(
    ('override', 'value', 'reason'),
    [
        (
            '/rig/image_raw.subscription.reliability',
            'sometimes',
            'cannot activate: qos_overrides./rig/image_raw.subscription.reliability cannot be '
            "'sometimes': choose 'reliable' or 'best_effort'",
        ),
        (
            '/overridden/depth/image.publisher.durability',
            'forever',
            'cannot configure: Unexpected QoS override for policy `durability`: `forever`',
        ),
    ],
)
def test_an_override_that_does_not_exist_fails_with_the_reason(
    override, value, reason, start, peer
):
    node = start({override: value})
    state = 'inactive' if 'activate' in reason else 'unconfigured'
    peer.wait_for(lambda: reason in node.log, 'the reason in the log')
    assert peer.state('/overridden') == state
    status = peer.diagnostics('overridden', 'node')
    values = status.wait_for(lambda values: values['level'] != OK, 'an error')

    assert (values['level'], values['state']) == (ERROR, state)
    assert values['message'].startswith(reason)
    if state == 'inactive':
        assert peer.transition('cleanup', '/overridden')
        status.wait_for(lambda values: values['level'] == OK, 'the end of the error')
    assert 'Traceback' not in node.log


def test_an_override_that_keeps_the_node_from_starting_ends_it_with_the_reason(start):
    node = start({'/diagnostics.publisher.reliability': 'sometimes'})

    assert node.wait() == 2
    assert (
        "topic '/diagnostics': Unexpected QoS override for policy `reliability`: `sometimes`"
        in node.log
    )
    assert 'Traceback' not in node.log
