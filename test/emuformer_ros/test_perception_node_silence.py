"""Each way in which a camera can fail to reach the node has its own message."""

from frames import IMAGE_TOPIC, camera_info, image_message, picture
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

DEPTH = '/perception/depth/image'
OK, WARN = b'\x00', b'\x01'


def test_a_camera_that_is_there_and_sends_nothing(active_node, peer):
    peer.publisher(Image, IMAGE_TOPIC)
    values = peer.diagnostics().wait_for(
        lambda values: 'has a publisher but no image arrives' in values['message'], 'a warning'
    )

    assert values['level'] == WARN
    assert "give the camera's process this package's Fast DDS profile too" in values['message']
    assert 'has a publisher but no image arrives' in active_node.log


def test_a_reliability_that_does_not_match_is_logged_at_once(node, peer, checkpoints):
    peer.configure_and_activate(checkpoint=str(checkpoints['SegFormer']), reliability='reliable')
    start = len(node.log)
    peer.publisher(Image, IMAGE_TOPIC, ReliabilityPolicy.BEST_EFFORT, matched=False)

    peer.wait_for(
        lambda: 'because its RELIABILITY does not match' in node.log[start:], 'a line in the log'
    )


def test_a_durability_that_does_not_match_is_named_with_how_to_override_it(start_active, peer):
    durability = 'qos_overrides./latched/image_raw.subscription.durability'
    node = start_active('latched', 'SegFormer', {durability: 'transient_local'})
    peer.publisher(Image, '/latched/image_raw', matched=False)
    values = peer.diagnostics('latched').wait_for(
        lambda values: 'another quality of service' in values['message'], 'a warning'
    )

    assert 'volatile publisher and transient local subscription' in values['message']
    assert "with the node's qos_overrides parameters" in values['message']
    assert 'because its DURABILITY does not match' in node.log


def test_a_camera_info_that_is_published_once_is_heard_with_the_overrides_that_are_named(
    start_active, peer
):
    topic, image = '/once/camera_info', picture()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = peer.node.create_publisher(CameraInfo, topic, latched)
    infos.publish(camera_info(image, fx=100.0, fy=100.0))
    overrides = {'durability': 'transient_local', 'reliability': 'reliable'}
    try:
        for name, asked, words in (
            ('unheard', {}, 'durability to transient_local and .reliability to reliable'),
            ('heard', overrides, ''),
        ):
            qos = {f'qos_overrides.{topic}.subscription.{k}': v for k, v in asked.items()}
            node = start_active(name, 'DepthFormer', qos, {'camera_info': topic})
            depths = peer.collect(Image, f'/{name}/depth/image')
            peer.publisher(Image, f'/{name}/image_raw').publish(image_message(image))
            peer.wait_for_messages([depths], 1, 'a depth map')
            assert bool(words) == ('no CameraInfo for the depth' in node.log)
            assert words in node.log
            assert node.stop() == 0
    finally:
        peer.node.destroy_publisher(infos)


def test_a_missing_camera_info_is_a_warning_for_those_who_subscribe_to_depth(active_node, peer):
    diagnostics = peer.diagnostics()
    camera = peer.publisher(Image, IMAGE_TOPIC)
    depths = peer.collect(Image, DEPTH)
    image = picture()
    camera.publish(image_message(image, 1))
    peer.wait_for_messages([depths], 1, 'a depth map')
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')
    assert "no CameraInfo for the depth on '/camera/camera_info'" in values['message']
    assert 'publish it' in values['message']

    infos = peer.publisher(CameraInfo, '/camera/camera_info')
    infos.publish(camera_info(image, fx=100.0, fy=100.0))
    camera.publish(image_message(image, 2))
    peer.wait_for_messages([depths], 2, 'a depth map')
    diagnostics.wait_for(lambda values: values['level'] == OK, 'the end of the warning')
