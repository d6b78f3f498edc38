"""Confidence, reliable depth and points, as a subscriber receives them from the node."""

import numpy as np
import pytest
from frames import IMAGE_TOPIC, camera_info, header, image_message, picture, pixels_of
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from emu_model import scenes
from emu_model.checkpoint import BUNDLED, read_info
from emu_model.engines import create_engine
from emuformer_ros.maps.label_info import publish_latched

CONFIDENCE = '/perception/semantic/confidence'
DEPTH, STD = '/perception/depth/image', '/perception/depth/uncertainty'
CLASSES, ENTROPY = '/perception/semantic/image', '/perception/semantic/uncertainty'
RELIABLE = '/perception/depth/reliable'
POINTS = '/perception/points'
INFO_TOPIC = '/camera/camera_info'

FX, FY = 300.0, 250.0
"""Of a camera whose depth is not the network's."""


def calibrated(peer, image):
    """Publishers of a camera with CameraInfo, which is out."""
    images = peer.publisher(Image, IMAGE_TOPIC)
    infos = peer.publisher(CameraInfo, INFO_TOPIC, ReliabilityPolicy.BEST_EFFORT)
    infos.publish(camera_info(image, FX, FY))
    return images


def receive(peer, images, image, topics, second=1):
    """Publish an image; the message with its stamp on every topic."""
    images.publish(image_message(image, second))
    peer.wait_for(
        lambda: all(m and m[-1].header.stamp.sec == second for m in topics.values()),
        f'messages of frame {second} on {", ".join(topics)}',
    )
    return {topic: messages[-1] for topic, messages in topics.items()}


def test_confidence_is_that_of_the_engine_in_255ths(active_node, peer, checkpoints):
    image = picture()
    images = peer.publisher(Image, IMAGE_TOPIC)
    topics = {CONFIDENCE: peer.collect(Image, CONFIDENCE)}
    message = receive(peer, images, image, topics, 7)[CONFIDENCE]

    engine = create_engine(checkpoints['SegDepthFormer'], 'torch', 'cpu')
    expected = 255 * engine.predict(image, ['confidence']).confidence
    assert (message.encoding, message.header) == ('mono8', header(7))
    # Rounded, and the network's rounding on top where that is at a half.
    np.testing.assert_allclose(pixels_of(message), expected, atol=0.51)


def test_limits_take_effect_at_once_and_reliable_depth_is_the_depth_within_them(active_node, peer):
    image = picture()
    images = calibrated(peer, image)
    topics = {name: peer.collect(Image, name) for name in (DEPTH, STD, ENTROPY, RELIABLE)}
    assert peer.set_parameter('max_depth_std_ratio', 0.0).successful
    received = receive(peer, images, image, topics, 0)
    depth, std, entropy, reliable = (pixels_of(received[name]) for name in topics)
    np.testing.assert_array_equal(reliable, depth)

    uncertainties = {
        'max_depth_std_m': std,
        'max_depth_std_ratio': std / depth,
        'max_entropy_nats': entropy,
    }
    for second, (name, uncertainty) in enumerate(uncertainties.items(), 1):
        limit = float(np.nanmedian(uncertainty[np.isfinite(depth)]))
        assert peer.set_parameter(name, limit).successful
        received = receive(peer, images, image, topics, second)
        assert peer.set_parameter(name, 0.0).successful
        assert received[RELIABLE].header == header(second)
        kept = uncertainty <= limit
        # Divided or multiplied, a float is another in its last digit.
        clear = np.abs(uncertainty - limit) > 1e-5 * limit
        assert 0.4 < kept[np.isfinite(depth)].mean() < 0.6
        reliable = pixels_of(received[RELIABLE])
        expected = np.where(kept, depth, np.nan)
        np.testing.assert_allclose(reliable[clear], expected[clear], rtol=1e-4)


def test_limits_and_alarm_of_the_bundled_checkpoint_are_its_own_quantiles(node, peer):
    normal = read_info(BUNDLED).normal_uncertainty
    peer.configure_and_activate(
        checkpoint='',
        max_depth_std_ratio=0.0,
        max_depth_std_quantile=0.9,
        max_entropy_quantile=0.75,
    )
    image = next(scenes.drive('street', 3, 1, 10.0, 120, 160)).image
    images = calibrated(peer, image)
    topics = {name: peer.collect(Image, name) for name in (DEPTH, STD, ENTROPY, RELIABLE)}
    received = receive(peer, images, image, topics)
    depth, std, entropy, reliable = (pixels_of(received[name]) for name in topics)
    scale = float(peer.diagnostics().wait_for_value('frames_processed', 1)['depth_scale'])

    limit_m, limit_nats = (
        scale * normal['depth_std']['pixel']['0.9'],
        normal['entropy']['pixel']['0.75'],
    )
    kept = (std <= limit_m) & (entropy <= limit_nats)
    clear = np.abs(std / limit_m - 1) > 1e-3  # the scale is told in four digits
    assert 0.05 < kept.mean() < 0.95
    np.testing.assert_array_equal(reliable[clear], np.where(kept, depth, np.nan)[clear])

    values = peer.diagnostics(part='uncertainty').wait_for(
        lambda values: values.get('entropy_mean'), 'means'
    )
    levels = normal['entropy']['frame_mean']
    assert float(values['entropy_alarm_above']) == pytest.approx(levels['0.99'], rel=1e-3)
    assert float(values['entropy_normal_below']) == pytest.approx(levels['0.95'], rel=1e-3)
    is_excess = entropy.mean() > levels['0.99']
    assert values['entropy_state'] == ('excess' if is_excess else 'normal')


def test_points_are_the_reliable_depth_in_space_with_colour_class_and_std(active_node, peer):
    image = picture()
    images = calibrated(peer, image)
    assert peer.set_parameter('max_depth_std_ratio', 0.5).successful
    topics = {name: peer.collect(Image, name) for name in (STD, CLASSES, RELIABLE)}
    topics[POINTS] = peer.collect(PointCloud2, POINTS)
    received = receive(peer, images, image, topics, 9)

    cloud = received[POINTS]
    assert cloud.header == header(9)
    assert (cloud.height, cloud.width, cloud.is_dense) == (*image.shape[:2], False)
    layout = {field.name: field.offset // 4 for field in cloud.fields}
    floats = np.frombuffer(cloud.data, np.float32).reshape(*image.shape[:2], -1)
    fields = {name: floats[..., index] for name, index in layout.items()}
    reliable = pixels_of(received[RELIABLE])
    assert 0 < np.isnan(reliable).mean() < 1
    np.testing.assert_array_equal(fields['z'], reliable)
    v, u = np.indices(reliable.shape)
    # The principal point is in the middle.
    np.testing.assert_allclose(fields['x'], (u - 79.5) / FX * reliable, rtol=1e-5)
    np.testing.assert_allclose(fields['y'], (v - 59.5) / FY * reliable, rtol=1e-5)
    np.testing.assert_array_equal(fields['depth_std'], pixels_of(received[STD]))
    np.testing.assert_array_equal(fields['label'].view(np.uint32), pixels_of(received[CLASSES]))
    colours = np.ascontiguousarray(fields['rgb']).view(np.uint8).reshape(*image.shape[:2], 4)
    np.testing.assert_array_equal(colours[..., 2::-1], image)


def test_points_of_network_size_have_its_geometry(active_node, peer):
    image = picture()
    images = calibrated(peer, image)
    assert peer.set_parameter('output_size', 'network').successful
    assert peer.set_parameter('max_depth_std_ratio', 0.0).successful
    topics = {POINTS: peer.collect(PointCloud2, POINTS)}
    cloud = receive(peer, images, image, topics)[POINTS]

    assert (cloud.height, cloud.width) == (64, 96)
    points = np.frombuffer(cloud.data, np.float32).reshape(64, 96, -1)
    x, z = points[..., 0], points[..., 2]
    assert np.isfinite(z).any()
    expected = np.broadcast_to((np.arange(96) - 47.5) / (FX * 96 / 160), z.shape)
    np.testing.assert_allclose((x / z)[np.isfinite(z)], expected[np.isfinite(z)], rtol=1e-5)


def test_without_camera_info_no_points_are_published_and_one_warning_says_so(active_node, peer):
    before = len(active_node.log)
    images = peer.publisher(Image, IMAGE_TOPIC)
    clouds = peer.collect(PointCloud2, POINTS)
    depths = {DEPTH: peer.collect(Image, DEPTH)}
    for second in range(3):
        receive(peer, images, picture(), depths, second)

    warnings = [line for line in active_node.log[before:].splitlines() if 'WARN' in line]
    assert len(warnings) == 1, warnings
    assert f"'{INFO_TOPIC}'" in warnings[0]
    assert 'no points are published' in warnings[0]
    status = peer.diagnostics().wait_for(lambda values: True, 'diagnostics')
    assert 'no points are published' in status['depth_assumption']
    # The points come as soon as there is CameraInfo; those of the first frames never do.
    infos = peer.publisher(CameraInfo, INFO_TOPIC, ReliabilityPolicy.BEST_EFFORT)
    infos.publish(camera_info(picture(), FX, FY))
    receive(peer, images, picture(), {POINTS: clouds}, 3)
    assert [cloud.header.stamp.sec for cloud in clouds] == [3]


def test_a_quantile_that_the_checkpoint_lacks_holds_back_reliable_depth_with_one_warning(
    active_node, peer
):
    before = len(active_node.log)
    image = picture()
    images = calibrated(peer, image)
    reliable = peer.collect(Image, RELIABLE)
    depths = {DEPTH: peer.collect(Image, DEPTH)}
    assert peer.set_parameter('max_depth_std_quantile', 0.9).successful
    for second in range(3):
        receive(peer, images, image, depths, second)

    warnings = [line for line in active_node.log[before:].splitlines() if 'WARN' in line]
    assert len(warnings) == 1, warnings
    assert 'max_depth_std_quantile is 0.9 and the checkpoint has no quantiles' in warnings[0]
    status = peer.diagnostics().wait_for(lambda values: True, 'diagnostics')
    assert 'max_depth_std_quantile' in status['depth_limits_problem']
    assert peer.set_parameter('max_depth_std_quantile', 0.0).successful
    receive(peer, images, image, {RELIABLE: reliable}, 3)
    assert [message.header.stamp.sec for message in reliable] == [3]


def test_points_of_a_network_without_classes_are_unlabelled(node, peer, checkpoints):
    peer.configure_and_activate(checkpoint=str(checkpoints['DepthFormer']))
    image = picture()
    images = calibrated(peer, image)
    topics = {POINTS: peer.collect(PointCloud2, POINTS)}
    cloud = receive(peer, images, image, topics)[POINTS]

    label = next(field for field in cloud.fields if field.name == 'label')
    words = np.frombuffer(cloud.data, np.uint32).reshape(-1, cloud.point_step // 4)
    assert set(words[:, label.offset // 4]) == {255}


def test_a_limit_out_of_its_range_is_refused(node, peer):
    result = peer.set_parameter('max_depth_std_ratio', 1.5)

    assert not result.successful
    assert 'max_depth_std_ratio' in result.reason


def test_a_latched_message_reaches_who_subscribes_after_it_was_published(peer):
    published = CameraInfo(width=3)
    publisher = publish_latched(peer.node, '/latched', published)
    received: list[CameraInfo] = []
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = peer.node.create_subscription(CameraInfo, '/latched', received.append, qos)
    try:
        peer.wait_for(lambda: received, 'the latched message')
    finally:
        peer.node.destroy_subscription(subscription)
        peer.node.destroy_publisher(publisher)
    assert received == [published]
