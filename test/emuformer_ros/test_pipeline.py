"""What the worker thread survives, and what it counts."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from std_msgs.msg import Header

from emu_model.prediction import Prediction
from emuformer_ros.camera.camera import Frame
from emuformer_ros.health.engine_health import EngineHealth
from emuformer_ros.health.frame_statistics import FrameStatistics
from emuformer_ros.maps.outputs import MAP_TOPICS
from emuformer_ros.pipeline import Pipeline

PARAMETERS = {'resize_mode': 'resize', 'output_size': 'camera', 'rectify': False}


@pytest.fixture
def health():
    return EngineHealth(lambda: None)


def run_out_of_memory(*_) -> Prediction:
    raise MemoryError('none left')


def pipeline(
    health: EngineHealth, is_running: bool = True, predict=run_out_of_memory, **parameters
) -> Pipeline:
    """With an engine that is out of memory, unless it is to do something else."""
    engine = MagicMock(network_size=(8, 8), predict=predict)
    values = {**PARAMETERS, **parameters}
    return Pipeline(engine, values.get, MagicMock(), health, lambda: is_running)


def frame(subscribers, height: int = 8, width: int = 8) -> Frame:
    """A black image of a camera, with who subscribes to its maps."""
    image = SimpleNamespace(
        header=Header(),
        encoding='mono8',
        height=height,
        width=width,
        step=width,
        data=bytes(height * width),
    )
    camera = MagicMock(statistics=FrameStatistics(), subscribers=subscribers)
    camera.watch.needs.return_value = set()
    return Frame(camera, image, arrival_s=0.0, time_s=0.0)


def topic(name: str):
    return next(topic for topic in MAP_TOPICS if topic.name == name)


def gone() -> dict:
    raise RuntimeError('publisher is invalid')  # as RCLError, of a context that is shut down


@pytest.mark.parametrize('is_running', [True, False])
def test_a_publisher_that_cannot_be_asked_fails_the_frame_and_not_the_thread(health, is_running):
    frames = [frame(gone), frame(dict)]
    pipeline(health, is_running).process(frames)

    first, second = (each.camera.statistics.report() for each in frames)
    # While ROS shuts down, nothing else is to be expected.
    assert first.failed == int(is_running)
    assert second.skipped == 1


def test_every_image_of_a_batch_that_the_engine_fails_on_counts(health):
    overlay = topic('~/semantic/overlay')
    frames = [frame(lambda: {overlay: 1}) for _ in range(3)]
    pipeline(health).process(frames)

    assert [each.camera.statistics.report().failed for each in frames] == [1, 1, 1]
    assert health.failures == 3
    assert 'failed on 3 images in a row' in health.problem(3)


def test_a_batch_that_is_too_much_is_tried_one_by_one(health):
    sizes = []

    def predict(images, *_):
        sizes.append(len(images))
        if len(images) > 1:
            raise MemoryError('none left')
        return Prediction(classes=np.zeros((1, 8, 8), np.uint8))

    classes = topic('~/semantic/image')
    frames = [frame(lambda: {classes: 1}) for _ in range(3)]
    publishers = [MagicMock() for _ in frames]
    for each, publisher in zip(frames, publishers):
        each.camera.publishers = {classes: publisher}
    pipeline(health, predict=predict).process(frames)

    assert sizes == [3, 1, 1, 1]
    assert [publisher.publish.call_count for publisher in publishers] == [1, 1, 1]
    assert [each.camera.statistics.report().processed for each in frames] == [1, 1, 1]
    assert health.failures == 0


@pytest.mark.parametrize(('height', 'width'), [(1, 20000), (20000, 1)])
def test_a_strip_that_would_be_padded_beyond_memory_is_refused(health, height, width):
    overlay = topic('~/semantic/overlay')
    strip = frame(lambda: {overlay: 1}, height, width)
    pipeline(health, resize_mode='letterbox').process([strip])

    report = strip.camera.statistics.report()
    assert report.refused == 1
    assert '20000x20000, more than' in report.last_refusal
