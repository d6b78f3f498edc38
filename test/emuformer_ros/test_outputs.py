import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from emu_model.overlay import blend_classes
from emu_model.prediction import Prediction
from emu_model.tasks import TASKS
from emuformer_ros.outputs import MAP_TOPICS, FrameMaps

TOPICS = {topic.name: topic for topic in MAP_TOPICS}
PALETTE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def frame(size=(4, 6), camera_info=None) -> FrameMaps:
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
    )


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
    message = TOPICS[topic].make(maps)

    assert TOPICS[topic].needs == (output,)
    assert message.encoding == TOPICS[topic].encoding == encoding
    assert message.header == maps.header
    values = np.frombuffer(message.data, dtype).reshape(message.height, message.width)
    np.testing.assert_array_equal(values, getattr(maps.prediction, output))


def test_the_overlay_blends_class_colours_over_the_camera_image():
    maps = frame(size=(8, 12))
    message = TOPICS['~/semantic/overlay'].make(maps)

    expected = blend_classes(maps.image, maps.prediction.classes, PALETTE, 0.25)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8), expected.ravel())
    assert (message.encoding, message.header) == ('rgb8', maps.header)


def test_the_overlay_of_smaller_maps_has_their_size():
    maps = frame(size=(4, 6))
    message = TOPICS['~/semantic/overlay'].make(maps)

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


@pytest.mark.parametrize('topic', MAP_TOPICS, ids=lambda topic: topic.name)
def test_a_topic_needs_outputs_of_its_task_alone(topic):
    assert set(topic.needs) <= set(TASKS[topic.task].outputs)
    assert topic.name.startswith(f'~/{topic.task}/')
