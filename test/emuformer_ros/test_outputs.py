import dataclasses

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from emu_model.overlay import blend_classes
from emu_model.prediction import Prediction
from emu_model.tasks import OUTPUTS
from emuformer_ros.maps.depth_limits import DepthLimits
from emuformer_ros.maps.outputs import MAP_TOPICS, FrameMaps

TOPICS = {topic.name: topic for topic in MAP_TOPICS}
PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def frame(size=(4, 6), camera_info=None, depth_limits=None) -> FrameMaps:
    rng = np.random.default_rng(0)
    floats = {
        name: rng.random(size, np.float32)
        for name in ('entropy', 'confidence', 'depth', 'depth_std')
    }
    header = Header(frame_id='camera')
    header.stamp.sec, header.stamp.nanosec = 7, 8
    return FrameMaps(
        header=header,
        image=rng.integers(0, 256, (8, 12, 3), np.uint8),
        size=size,
        prediction=Prediction(classes=rng.integers(0, 3, size, np.uint8), **floats),
        camera_info=camera_info,
        palette=PALETTE,
        overlay_opacity=0.25,
        depth_limits=depth_limits,
    )


def image_of(serialised: bytes) -> Image:
    return deserialize_message(serialised, Image)


@pytest.mark.parametrize(
    ('topic', 'output', 'encoding', 'dtype'),
    [
        ('~/semantic/image', 'classes', 'mono8', np.uint8),
        ('~/semantic/uncertainty', 'entropy', '32FC1', np.float32),
        ('~/depth/image', 'depth', '32FC1', np.float32),
        ('~/depth/uncertainty', 'depth_std', '32FC1', np.float32),
    ],
)
def test_a_topic_shows_the_output_it_is_made_of(topic, output, encoding, dtype):
    maps = frame()
    message = image_of(TOPICS[topic].make(maps))

    assert TOPICS[topic].needs == (output,)
    assert message.encoding == TOPICS[topic].encoding == encoding
    assert message.header == maps.header
    values = np.frombuffer(message.data, dtype).reshape(message.height, message.width)
    np.testing.assert_array_equal(values, getattr(maps.prediction, output))


def test_the_overlay_blends_class_colours_over_the_camera_image():
    maps = frame(size=(8, 12))
    message = image_of(TOPICS['~/semantic/overlay'].make(maps))

    expected = blend_classes(maps.image, maps.prediction.classes, PALETTE, 0.25)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8), expected.ravel())
    assert (message.encoding, message.header) == ('rgb8', maps.header)


def test_the_overlay_of_smaller_maps_has_their_size():
    maps = frame(size=(4, 6))
    message = image_of(TOPICS['~/semantic/overlay'].make(maps))

    # Half the size in both directions: every pixel is the mean of four.
    halved = maps.image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    colours = np.array(PALETTE)[maps.prediction.classes]
    blended = np.frombuffer(message.data, np.uint8).reshape(4, 6, 3)
    # Rounded once when resized and once when blended.
    np.testing.assert_allclose(blended, 0.75 * halved + 0.25 * colours, atol=1)


def test_camera_info_carries_the_header_of_the_image():
    maps = frame(camera_info=CameraInfo(header=Header(frame_id='other'), width=6, height=4))
    message = TOPICS['~/depth/camera_info'].make(maps)

    assert message.header == maps.header
    assert (message.width, message.height) == (6, 4)


def test_there_is_no_camera_info_message_without_camera_info():
    assert TOPICS['~/depth/camera_info'].make(frame()) is None


def test_confidence_is_the_probability_in_255ths():
    maps = frame()
    message = image_of(TOPICS['~/semantic/confidence'].make(maps))

    assert TOPICS['~/semantic/confidence'].needs == ('confidence',)
    assert (message.encoding, message.header) == ('mono8', maps.header)
    expected = [round(255 * float(value)) for value in maps.prediction.confidence.ravel()]
    assert list(message.data) == expected


def test_the_ends_of_confidence_are_0_and_255():
    ends = np.array([[0, 1, 0.5 / 255, 254.6 / 255]], np.float32)
    maps = dataclasses.replace(frame(), prediction=Prediction(confidence=ends))

    assert list(image_of(TOPICS['~/semantic/confidence'].make(maps)).data) == [0, 255, 0, 255]


def test_reliable_depth_is_the_depth_without_what_is_too_uncertain():
    maps = frame(depth_limits=DepthLimits(std_m=0.5))
    message = image_of(TOPICS['~/depth/reliable'].make(maps))

    depth, std = maps.prediction.depth, maps.prediction.depth_std
    shown = np.frombuffer(message.data, np.float32).reshape(4, 6)
    assert (message.encoding, message.header) == ('32FC1', maps.header)
    assert 0 < np.isnan(shown).sum() < shown.size
    for row, column in np.ndindex(4, 6):
        expected = depth[row, column] if std[row, column] <= 0.5 else np.nan
        np.testing.assert_equal(shown[row, column], expected)


def test_no_depth_is_called_reliable_while_its_limits_are_not_known():
    maps = frame(camera_info=CameraInfo(k=[1.0] * 9))

    assert TOPICS['~/depth/reliable'].make(maps) is None
    assert TOPICS['~/points'].make(maps) is None


def test_there_are_no_points_without_camera_info():
    assert TOPICS['~/points'].make(frame(depth_limits=DepthLimits())) is None


def test_points_have_the_colours_of_the_image_at_the_size_of_the_maps():
    info = CameraInfo(k=[6.0, 0.0, 2.5, 0.0, 6.0, 1.5, 0.0, 0.0, 1.0])
    maps = frame(size=(4, 6), camera_info=info, depth_limits=DepthLimits(std_m=0.5))
    cloud = TOPICS['~/points'].make(maps)

    assert (cloud.height, cloud.width, cloud.header) == (4, 6, maps.header)
    points = np.frombuffer(cloud.data, np.float32).reshape(4, 6, -1)
    np.testing.assert_array_equal(points[..., 2], maps.reliable_depth)
    # Half the size in both directions: every pixel is the mean of four.
    halved = maps.image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    packed = points[..., 3].view(np.uint32)
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)
    np.testing.assert_allclose(colours, halved, atol=0.5)


@pytest.mark.parametrize('topic', MAP_TOPICS, ids=lambda topic: topic.name)
def test_a_topic_needs_outputs_that_there_are_and_is_named_by_its_task(topic):
    assert set(topic.needs) <= set(OUTPUTS)
    assert topic.name.startswith(f'~/{topic.task}/') or topic.name == '~/points'


def test_two_topics_are_subject_to_the_limits_on_the_uncertainty():
    limited = {topic.name for topic in MAP_TOPICS if topic.is_limited}
    assert limited == {'~/depth/reliable', '~/points'}
