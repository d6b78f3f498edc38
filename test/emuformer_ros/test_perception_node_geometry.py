"""Resizing, cropping and rectifying, as a subscriber sees it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from frames import IMAGE_TOPIC, camera_info, image_message, picture, pixels_of
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from tracers import POINTS, draw, find, seen_through

from emu_model.engines import create_engine
from emu_model.framing import PADDING_COLOUR, RESIZE_MODES

INFO_TOPIC = '/camera/camera_info'
DEPTH, STD = '/perception/depth/image', '/perception/depth/uncertainty'
CLASSES, OVERLAY = '/perception/semantic/image', '/perception/semantic/overlay'
INFO = '/perception/depth/camera_info'
FLOAT_TOLERANCE = {'rtol': 1e-4, 'atol': 1e-5}
"""Sums of floats in another order, in a process with another number of threads."""


@pytest.fixture(scope='module')
def engine(checkpoints):
    return create_engine(checkpoints['SegDepthFormer'], 'torch', 'cpu')


def maps_of(peer, image: np.ndarray, info: CameraInfo, topics) -> dict[str, np.ndarray]:
    """What the node publishes of an image: pixels, or a CameraInfo."""
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    infos = peer.publisher(CameraInfo, INFO_TOPIC, ReliabilityPolicy.BEST_EFFORT)
    received = {
        topic: peer.collect(CameraInfo if topic == INFO else Image, topic) for topic in topics
    }
    infos.publish(info)
    publisher.publish(image_message(image))
    peer.wait_for_messages(received.values(), 1, f'messages on {", ".join(topics)}')
    return {
        topic: messages[0] if topic == INFO else pixels_of(messages[0])
        for topic, messages in received.items()
    }


def test_a_letterboxed_image_is_whole_again_in_the_maps(active_node, peer, engine):
    assert peer.set_parameter('resize_mode', 'letterbox').successful
    image = picture(120, 160)
    maps = maps_of(peer, image, camera_info(image, 100.0, 100.0), (STD, CLASSES, OVERLAY, INFO))

    # The network is 64x96: in its shape, 120 rows take 180 columns, 10 on each side.
    padded = np.full((120, 180, 3), PADDING_COLOUR, np.uint8)
    padded[:, 10:170] = image
    expected = engine.predict(padded)
    scale = 100 * 64 / 120 / 80
    np.testing.assert_allclose(maps[STD], scale * expected.depth_std[:, 10:170], **FLOAT_TOLERANCE)
    assert np.mean(maps[CLASSES] == expected.classes[:, 10:170]) > 0.999
    assert maps[OVERLAY].shape == (120, 160, 3)
    np.testing.assert_allclose(maps[INFO].k, [100, 0, 79.5, 0, 100, 59.5, 0, 0, 1])


def test_a_cropped_image_has_no_maps_of_what_was_cut_off(active_node, peer, engine):
    assert peer.set_parameter('resize_mode', 'crop').successful
    image = picture(120, 160)
    topics = (STD, DEPTH, CLASSES, OVERLAY, INFO)
    maps = maps_of(peer, image, camera_info(image, 100.0, 100.0), topics)

    # In the network's shape, 160 columns take 106.67 rows: rows 6 to 113.
    rows = slice(6, 113)
    expected = engine.predict(np.ascontiguousarray(image[rows]))
    scale = 100 * np.sqrt(96 / 160 * 64 / 107) / 80
    np.testing.assert_allclose(maps[STD][rows], scale * expected.depth_std, **FLOAT_TOLERANCE)
    assert np.mean(maps[CLASSES][rows] == expected.classes) > 0.999
    for outside in (slice(0, 6), slice(113, 120)):
        assert np.isnan(maps[STD][outside]).all()
        assert np.isnan(maps[DEPTH][outside]).all()
        assert (maps[CLASSES][outside] == 255).all()
        np.testing.assert_array_equal(maps[OVERLAY][outside], image[outside])
    np.testing.assert_allclose(maps[INFO].k, [100, 0, 79.5, 0, 100, 59.5, 0, 0, 1])


def test_maps_of_network_size_are_of_what_the_network_saw(active_node, peer, engine):
    assert peer.set_parameter('resize_mode', 'letterbox').successful
    assert peer.set_parameter('output_size', 'network').successful
    image = picture(120, 160)
    maps = maps_of(peer, image, camera_info(image, 100.0, 100.0), (STD, CLASSES, OVERLAY, INFO))

    padded = np.full((120, 180, 3), PADDING_COLOUR, np.uint8)
    padded[:, 10:170] = image
    expected = engine.predict(padded, size=(64, 96))
    # 180 columns in 96: columns whose centres are in the image.
    known = np.array([10 <= (column + 0.5) * 180 / 96 <= 170 for column in range(96)])
    assert maps[STD].shape == (64, 96)
    np.testing.assert_allclose(
        maps[STD][:, known],
        (100 * 64 / 120 / 80 * expected.depth_std)[:, known],
        **FLOAT_TOLERANCE,
    )
    assert np.isnan(maps[STD][:, ~known]).all()
    assert (maps[CLASSES][:, ~known] == 255).all()
    shown = cv2.resize(padded, (96, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(maps[OVERLAY][:, ~known], shown[:, ~known])
    focal, centre = 100 * 96 / 180, (79.5 + 10 + 0.5) * 96 / 180 - 0.5
    np.testing.assert_allclose(
        maps[INFO].k, [focal, 0, centre, 0, focal, 31.5, 0, 0, 1], rtol=1e-12
    )


@pytest.mark.parametrize('output_size', ['camera', 'network'])
@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_coloured_corners_land_where_the_intrinsics_of_the_maps_say(
    mode, output_size, active_node, peer
):
    """Of a sensor of 640x480: a part, binned by two."""
    assert peer.set_parameter('resize_mode', mode).successful
    assert peer.set_parameter('output_size', output_size).successful
    assert peer.set_parameter('overlay_opacity', 0.0).successful
    corners = POINTS[:3]
    info = camera_info(np.empty((480, 640, 3)), 400.0, 420.0)
    info.binning_x = info.binning_y = 2
    roi = info.roi
    roi.x_offset, roi.y_offset, roi.width, roi.height = 84, 62, 480, 360
    # The first corner is red, the second green, the third blue.
    sensor = np.moveaxis(draw((480, 640), seen_through(info.p, corners), radius=24.0), 0, 2)
    part = sensor[roi.y_offset :, roi.x_offset :][: roi.height, : roi.width]
    image = cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    maps = maps_of(peer, image, info, (OVERLAY, INFO))

    shown = maps[OVERLAY]
    assert shown.shape[:2] == (maps[INFO].height, maps[INFO].width)
    assert (shown.shape[:2] == (180, 240)) == (output_size == 'camera')
    # Only what is brighter than padding.
    bright = np.maximum(shown.astype(int) - max(PADDING_COLOUR), 0)
    found = [find(bright[..., colour]) for colour in range(3)]
    np.testing.assert_allclose(found, seen_through(maps[INFO].p, corners), atol=0.1)
    np.testing.assert_allclose(np.reshape(maps[INFO].p, (3, 4))[:, :3].ravel(), maps[INFO].k)
    assert (maps[INFO].binning_x, maps[INFO].roi.x_offset) == (0, 0)


def distorted_info(image: np.ndarray) -> CameraInfo:
    info = camera_info(image, 100.0, 100.0)
    info.d = [-0.3, 0.1, 0.001, -0.002, 0.0]
    info.p[0] = info.p[5] = 90.0
    return info


def test_rectified_images_and_maps_are_those_of_a_pinhole_camera(active_node, peer, engine):
    assert peer.set_parameter('rectify', True).successful
    assert peer.set_parameter('overlay_opacity', 0.0).successful
    image = cv2.GaussianBlur(picture(120, 160), (0, 0), 3)
    info = distorted_info(image)
    maps = maps_of(peer, image, info, (OVERLAY, INFO, STD))

    camera, pinhole = np.reshape(info.k, (3, 3)), np.reshape(info.p, (3, 4))[:, :3]
    expected = cv2.undistort(image, camera, np.array(info.d), None, pinhole)
    # Both interpolate between 32 places in a pixel and round; a smooth picture shows little of it.
    np.testing.assert_allclose(maps[OVERLAY].astype(int)[4:-4, 4:-4], expected[4:-4, 4:-4], atol=2)
    assert list(maps[INFO].d) == [0.0] * 5
    np.testing.assert_allclose(maps[INFO].k, pinhole.ravel())
    np.testing.assert_allclose(maps[INFO].p, info.p)
    scale = 90 * np.sqrt(96 / 160 * 64 / 120) / 80
    np.testing.assert_allclose(
        maps[STD], scale * engine.predict(maps[OVERLAY]).depth_std, **FLOAT_TOLERANCE
    )


def test_images_that_are_rectified_already_go_by_the_p_of_the_camera(active_node, peer, engine):
    assert peer.set_parameter('image_is_rectified', True).successful
    image = picture(120, 160)
    info = distorted_info(image)
    maps = maps_of(peer, image, info, (INFO, STD))

    # What image_proc publishes beside image_rect has the K of the raw image, 100 px.
    scale = 90 * np.sqrt(96 / 160 * 64 / 120) / 80
    np.testing.assert_allclose(
        maps[STD], scale * engine.predict(image).depth_std, **FLOAT_TOLERANCE
    )
    assert list(maps[INFO].d) == [0.0] * 5
    np.testing.assert_allclose(maps[INFO].k, np.reshape(info.p, (3, 4))[:, :3].ravel())
    np.testing.assert_allclose(maps[INFO].p, info.p)


def test_rectified_images_are_not_rectified_again(node, peer, start_node):
    names = ('rectify', 'image_is_rectified')
    for first, second in (names, names[::-1]):
        assert peer.set_parameter(first, True).successful
        refused = peer.set_parameter(second, True)
        assert not refused.successful
        assert 'would both be true' in refused.reason
        assert peer.set_parameter(first, False).successful

    both = start_node(parameters=dict.fromkeys(names, 'true'))
    assert both.wait() == 2
    assert 'would both be true' in both.log


def test_images_that_cannot_be_rectified_are_refused_until_they_can_be(active_node, peer):
    start = len(active_node.log)
    assert peer.set_parameter('rectify', True).successful
    diagnostics = peer.diagnostics()
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    overlays = peer.collect(Image, OVERLAY)
    image = picture(120, 160)
    refused = int(diagnostics.wait_for(lambda values: True, 'diagnostics')['frames_refused'])
    publisher.publish(image_message(image, 1))
    values = diagnostics.wait_for_value('frames_refused', refused + 1)

    reason = (
        f"cannot be rectified by the CameraInfo on '{INFO_TOPIC}': none has arrived: publish it"
    )
    assert reason in values['last_refusal']
    assert reason in active_node.log[start:]

    # Image and CameraInfo may overtake each other: images go on until one meets its CameraInfo.
    infos = peer.publisher(CameraInfo, INFO_TOPIC, ReliabilityPolicy.BEST_EFFORT)
    infos.publish(distorted_info(picture(60, 80)))
    diagnostics.wait_for(
        lambda values: (
            publisher.publish(image_message(image, 2))
            or 'of 80x60 and the image is 160x120' in values['last_refusal']
        ),
        'a refusal that names both sizes',
    )
    assert not overlays
    infos.publish(distorted_info(image))
    peer.wait_for(
        lambda: publisher.publish(image_message(image, 3)) or overlays,
        'the overlay of an image with its CameraInfo',
    )


def test_depth_of_a_camera_in_another_mode_is_for_the_camera_info_that_comes_after_it(
    start_active, peer, engine
):
    script = Path(__file__).with_name('patient_node.py')
    node = start_active('patient', program=(str(script),))
    images = peer.publisher(Image, '/patient/image_raw')
    infos = peer.publisher(CameraInfo, '/patient/camera_info', ReliabilityPolicy.BEST_EFFORT)
    maps = peer.collect(Image, '/patient/depth/uncertainty')
    diagnostics = peer.diagnostics('patient')
    for count, (height, width) in enumerate([(120, 160), (60, 80)], start=1):
        image = picture(height, width)
        images.publish(image_message(image, count))
        diagnostics.wait_for_value('frames_received', count)
        infos.publish(camera_info(image, fx=width, fy=width))
        peer.wait_for_messages([maps], count, f'a map of {width}x{height}')

        # As wide as its focal length is long: 96 px at 96 columns; 64 rows of three quarters.
        scale = 96 / 80 * np.sqrt(64 / 72)
        np.testing.assert_allclose(
            pixels_of(maps[-1]), scale * engine.predict(image).depth_std, **FLOAT_TOLERANCE
        )
    assert 'no CameraInfo for the depth' not in node.log
