"""Which frames wait for their CameraInfo, and how often its absence is logged."""

import time

import pytest
from frames import camera_info, image_message, picture

from emu_model.engines import create_engine
from emuformer_ros.camera.camera import Frame
from emuformer_ros.geometry import geometry_source
from emuformer_ros.geometry.geometry_source import GeometrySource

LARGE, SMALL = picture(120, 160), picture(60, 80)
PARAMETERS = {
    'resize_mode': 'resize',
    'output_size': 'camera',
    'rectify': False,
    'image_is_rectified': False,
}


class StandInCamera:
    """A camera of which one CameraInfo comes with nobody to send it: it notes who waits for it.

    Attributes:
        info_is_of: The image that the latest CameraInfo is of; None before the first.
        next_is_of: The image that the next one is of, which comes when somebody waits.
        waits: Whether each frame had to wait.
        warnings: What was logged.
    """

    info_topic = '/camera/camera_info'

    def __init__(self, info_is_of=None):
        self.input = self.logger = self
        self.info_is_of = self.next_is_of = info_is_of
        self.info_problem = ''
        self.depth_scale = 1.0
        self.waits, self.warnings = [], []
        self.warning = self.warnings.append

    def why_no_info(self):
        return 'none has arrived'

    def info(self, until_s, fits):
        self.waits.append(not (self._latest and fits(self._latest)) and until_s > time.monotonic())
        if self.waits[-1]:
            self.info_is_of = self.next_is_of
        return self._latest

    @property
    def _latest(self):
        image = self.info_is_of
        return None if image is None else camera_info(image, image.shape[1], image.shape[1])


@pytest.fixture(scope='module')
def engine(checkpoints):
    return create_engine(checkpoints['DepthFormer'], 'torch', 'cpu')


@pytest.fixture
def see(engine):
    """Takes the geometry of an image of a camera."""
    source = GeometrySource(engine, PARAMETERS.get)

    def geometry_of(image, camera):
        arrival_s = time.monotonic() + 1000  # however slow the machine, its patience is not over
        frame = Frame(camera, image_message(image), arrival_s, 0.0)
        return source.geometry(frame, image.shape[:2], is_metric=True)

    return geometry_of


def test_the_first_frame_of_each_mode_waits_for_the_camera_info_of_that_mode(see):
    camera = StandInCamera()
    for image in (LARGE, SMALL, LARGE):
        camera.next_is_of = image
        for _ in range(3):
            assert see(image, camera).camera_info.width == image.shape[1]
            # As wide as its focal length is long: 96 px at 96 columns, and 80 are calibrated;
            # rows are 64 of three quarters of 96.
            assert camera.depth_scale == pytest.approx(96 / 80 * (64 / 72) ** 0.5)

    assert camera.waits == [True, False, False] * 3
    assert not camera.warnings


def test_camera_info_that_stays_wrong_is_waited_for_and_logged_once(see, monkeypatch):
    camera = StandInCamera(LARGE)
    for _ in range(5):
        assert see(LARGE, camera).camera_info.width == 160
        assert see(SMALL, camera).camera_info is None
        assert 'of 160x120 and the image is 80x60' in camera.info_problem

    assert camera.waits == [False, True] + [False, False] * 4
    assert len(camera.warnings) == 1
    later_s = time.monotonic() + geometry_source._SAY_AGAIN_S
    monkeypatch.setattr(time, 'monotonic', lambda: later_s)
    see(LARGE, camera)
    see(SMALL, camera)
    assert len(camera.warnings) == 2


def test_a_mode_whose_camera_info_came_late_is_waited_for_the_next_time(see):
    camera = StandInCamera(LARGE)
    see(LARGE, camera)
    see(SMALL, camera)
    camera.info_is_of = SMALL
    assert see(SMALL, camera).camera_info.width == 80
    camera.next_is_of = LARGE
    see(LARGE, camera)
    camera.next_is_of = SMALL
    assert see(SMALL, camera).camera_info.width == 80

    assert camera.waits == [False, True, False, True, True]


def test_no_camera_info_at_all_is_waited_for_once(see):
    camera = StandInCamera()
    for image in (LARGE, SMALL, LARGE):
        assert see(image, camera).camera_info is None

    assert camera.waits == [True, False, False]
    assert all('none has arrived' in warning for warning in camera.warnings)
    assert len(camera.warnings) == 2  # by size: they say at which the focal length is assumed
