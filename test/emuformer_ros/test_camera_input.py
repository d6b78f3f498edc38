from types import SimpleNamespace

import pytest
from rclpy import Context
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emuformer_ros.camera.camera_input import CameraInput, choose_reliability

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


@pytest.mark.parametrize(
    ('offered', 'chosen'),
    [
        ([RELIABLE], RELIABLE),
        ([RELIABLE, RELIABLE], RELIABLE),
        ([BEST_EFFORT], BEST_EFFORT),
        ([RELIABLE, BEST_EFFORT], BEST_EFFORT),
    ],
)
def test_auto_is_reliable_when_every_publisher_is(offered, chosen):
    for current in (RELIABLE, BEST_EFFORT):
        assert choose_reliability('auto', offered, current) == chosen


@pytest.mark.parametrize('current', [RELIABLE, BEST_EFFORT])
def test_auto_stays_as_it_is_while_nobody_publishes(current):
    assert choose_reliability('auto', [], current) == current


@pytest.mark.parametrize(
    ('setting', 'chosen'), [('reliable', RELIABLE), ('best_effort', BEST_EFFORT)]
)
def test_a_reliability_that_was_set_stays_whatever_is_offered(setting, chosen):
    for offered in ([], [RELIABLE], [BEST_EFFORT]):
        assert choose_reliability(setting, offered, RELIABLE) == chosen


@pytest.mark.parametrize(
    ('remaps', 'camera', 'transport', 'topics'),
    [
        ([], '', 'raw', ('/image', '/camera_info')),
        (['image:=/front/image_raw'], '', 'raw', ('/front/image_raw', '/front/camera_info')),
        (
            ['image:=/front/image_raw'],
            '',
            'compressed',
            ('/front/image_raw/compressed', '/front/camera_info'),
        ),
        (
            ['image:=/front/image_raw', 'camera_info:=/calibration'],
            '',
            'raw',
            ('/front/image_raw', '/calibration'),
        ),
        (['__ns:=/robot', 'image:=rgb'], '', 'raw', ('/robot/rgb', '/robot/camera_info')),
        (['__ns:=/robot'], '', 'raw', ('/robot/image', '/robot/camera_info')),
        ([], 'front', 'raw', ('/front/image', '/front/camera_info')),
        (
            ['image:=/other'],
            'front',
            'compressed',
            ('/front/image/compressed', '/front/camera_info'),
        ),
        (['front/image:=/nose/rgb'], 'front', 'raw', ('/nose/rgb', '/nose/camera_info')),
        (
            ['__ns:=/robot', 'front/camera_info:=/calibration'],
            'front',
            'raw',
            ('/robot/front/image', '/calibration'),
        ),
        (
            ['image:=/front/rgb/compressed'],
            '',
            'compressed',
            ('/front/rgb/compressed', '/front/camera_info'),
        ),
        (
            ['image:=/front/rgb', '/front/camera_info:=/camera_info'],
            '',
            'raw',
            ('/front/rgb', '/camera_info'),
        ),
    ],
)
def test_camera_info_is_beside_the_image_unless_remapped(
    remaps, camera, transport, topics, ros_context
):
    node = remapped_node(remaps, ros_context)
    camera_input = CameraInput(node, camera, transport, 'auto', print)

    assert (camera_input.image_topic, camera_input.info_topic) == topics
    assert set(subscribed(node)) == set(topics)
    node.destroy_node()


SWAPPED = [
    'left/image:=/right/image',
    'right/image:=/left/image',
    'left/camera_info:=/right/camera_info',
    'right/camera_info:=/left/camera_info',
]


@pytest.mark.parametrize(('camera', 'other'), [('left', 'right'), ('right', 'left')])
def test_swapped_cameras_are_swapped_and_stay_so(camera, other, ros_context, monkeypatch):
    node = remapped_node(SWAPPED, ros_context)
    camera_input = CameraInput(node, camera, 'raw', 'auto', print)
    expected = sorted([f'/{other}/image', f'/{other}/camera_info'])
    assert subscribed(node) == expected

    asked = []
    publisher = SimpleNamespace(qos_profile=QoSProfile(depth=1, reliability=BEST_EFFORT))
    monkeypatch.setattr(
        node, 'get_publishers_info_by_topic', lambda topic: asked.append(topic) or [publisher]
    )
    camera_input.adapt_reliability()

    assert asked == [f'/{other}/image']
    assert subscribed(node) == expected
    node.destroy_node()


def remapped_node(remaps: list[str], context: Context) -> LifecycleNode:
    arguments = [argument for remap in remaps for argument in ('-r', remap)]
    return LifecycleNode('node', context=context, cli_args=['--ros-args', *arguments])


def subscribed(node: LifecycleNode) -> list[str]:
    """Full names of the camera's topics that the node subscribes to."""
    types = (Image, CompressedImage, CameraInfo)
    return sorted(each.topic_name for each in node.subscriptions if each.msg_type in types)
