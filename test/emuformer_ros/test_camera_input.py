import pytest
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import ReliabilityPolicy

from emuformer_ros.camera.camera_input import camera_topics, choose_reliability

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
    ],
)
def test_camera_info_is_beside_the_image_unless_remapped(
    remaps, camera, transport, topics, ros_context
):
    arguments = [argument for remap in remaps for argument in ('-r', remap)]
    node = LifecycleNode('node', context=ros_context, cli_args=['--ros-args', *arguments])

    assert camera_topics(node, camera, transport) == topics
    node.destroy_node()
