"""What the worker thread survives, and what it counts."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from emuformer_ros.camera.camera import Frame
from emuformer_ros.health.engine_health import EngineHealth
from emuformer_ros.health.frame_statistics import FrameStatistics
from emuformer_ros.maps.outputs import MAP_TOPICS
from emuformer_ros.pipeline import Pipeline

PARAMETERS = {'resize_mode': 'resize', 'output_size': 'camera', 'rectify': False}


@pytest.fixture
def health():
    return EngineHealth(lambda: None)


def pipeline(health: EngineHealth, is_running: bool = True) -> Pipeline:
    """With an engine that is out of memory."""
    engine = MagicMock(network_size=(8, 8), **{'predict.side_effect': MemoryError('none left')})
    return Pipeline(engine, PARAMETERS.get, MagicMock(), health, lambda: is_running)


def frame(subscribers) -> Frame:
    """A black image of a camera, with who subscribes to its maps."""
    image = SimpleNamespace(encoding='mono8', height=8, width=8, step=8, data=bytes(64))
    camera = MagicMock(statistics=FrameStatistics(), subscribers=subscribers)
    camera.watch.needs.return_value = set()
    return Frame(camera, image, arrival_s=0.0)


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
    overlay = next(topic for topic in MAP_TOPICS if topic.name == '~/semantic/overlay')
    frames = [frame(lambda: {overlay: 1}) for _ in range(3)]
    pipeline(health).process(frames)

    assert [each.camera.statistics.report().failed for each in frames] == [1, 1, 1]
    assert health.failures == 3
    assert 'failed on 3 images in a row' in health.problem(3)
