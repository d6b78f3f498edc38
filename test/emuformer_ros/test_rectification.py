"""Rectified images against OpenCV's projection of points through the lens, and a checkerboard."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from tracers import POINTS, draw, find, seen_by_lens, seen_through

from emuformer_ros.geometry.camera_info import CameraInfoError, rescale
from emuformer_ros.geometry.rectification import Rectifier, make_rectification, rectified_info

SIZE = (240, 320)
CAMERA = np.array([[200.0, 0.0, 158.0], [0.0, 205.0, 121.0], [0.0, 0.0, 1.0]])
LENSES = {
    'plumb_bob': [-0.28, 0.09, 0.001, -0.002, -0.01],
    'rational_polynomial': [0.4, -0.2, 0.0005, 0.001, 0.02, 0.75, -0.1, 0.03],
    'equidistant': [0.05, -0.02, 0.004, -0.001],
}
ROTATION = cv2.Rodrigues(np.array([0.02, -0.03, 0.015]))[0]
P = np.array([[180.0, 0.0, 161.0, -21.6], [0.0, 180.0, 118.0, 0.0], [0.0, 0.0, 1.0, 0.0]])


def camera_info(model: str = 'plumb_bob', **changes) -> CameraInfo:
    fields = {
        'height': SIZE[0],
        'width': SIZE[1],
        'distortion_model': model,
        'd': LENSES.get(model, [0.1]),
        'k': CAMERA.ravel(),
        'r': ROTATION.ravel(),
        'p': P.ravel(),
    }
    return CameraInfo(**{**fields, **changes})


@pytest.mark.parametrize('model', LENSES)
def test_points_seen_through_the_lens_are_where_the_rectified_intrinsics_say(model):
    rectification = make_rectification(camera_info(model), SIZE)
    info = rectification.camera_info
    images = draw(SIZE, seen_by_lens(CAMERA, np.array(LENSES[model]), model))

    # Of the left camera of a pair: the point without the baseline in P's last column.
    left = np.reshape(info.p, (3, 4)) @ np.diag([1, 1, 1, 0])
    expected = seen_through(left, POINTS @ ROTATION.T)
    for image, where in zip(images, expected):
        # A blob that is stretched unevenly is not quite centred on its point any more.
        np.testing.assert_allclose(find(rectification.apply(image)), where, atol=0.5)


@pytest.mark.parametrize('model', LENSES)
def test_the_rectified_camera_is_a_pinhole_of_the_same_size(model):
    info = make_rectification(camera_info(model), SIZE).camera_info

    assert (info.height, info.width) == SIZE
    assert info.distortion_model == 'plumb_bob'
    assert list(info.d) == [0.0] * 5
    np.testing.assert_array_equal(np.reshape(info.r, (3, 3)), np.eye(3))
    np.testing.assert_array_equal(np.reshape(info.k, (3, 3)), P[:, :3])
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4)), P)


def checkerboard(pixels: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Grey values of a board of 0.1 m squares at 1 m, where undistorted rays meet it."""
    rays = (pixels - camera[:2, 2]) / camera[[0, 1], [0, 1]]
    return np.where(np.floor(rays / 0.1).sum(axis=-1) % 2, 200.0, 50.0)


def test_a_checkerboard_through_a_distorting_lens_is_straight_again():
    coefficients = np.array(LENSES['plumb_bob'])
    pixels = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), -1).astype(float)
    undistorted = cv2.undistortPoints(pixels.reshape(-1, 1, 2), CAMERA, coefficients, P=CAMERA)
    distorted = checkerboard(undistorted.reshape(*SIZE, 2), CAMERA).astype(np.uint8)
    straight = checkerboard(pixels, CAMERA)

    info = camera_info(r=np.eye(3).ravel(), p=np.hstack([CAMERA, np.zeros((3, 1))]).ravel())
    rectified = make_rectification(info, SIZE).apply(distorted)
    # Away from the edges between squares, where grey values are between black and white.
    inner = cv2.erode((straight > 100).astype(np.uint8), np.ones((7, 7)))
    inner |= cv2.erode((straight < 100).astype(np.uint8), np.ones((7, 7)))
    assert inner[8:-8, 8:-8].mean() > 0.4
    assert np.array_equal(
        (rectified > 125)[8:-8, 8:-8] | ~inner[8:-8, 8:-8].astype(bool),
        (straight > 125)[8:-8, 8:-8] | ~inner[8:-8, 8:-8].astype(bool),
    )
    assert not np.array_equal(distorted > 125, straight > 125)


def test_what_the_camera_did_not_see_is_unknown():
    wide = P.copy()
    wide[0, 0] = wide[1, 1] = 120.0
    rectification = make_rectification(camera_info(p=wide.ravel(), r=np.eye(3).ravel()), SIZE)
    # Where OpenCV projects the ray of a rectified pixel to is in the image, or it is not.
    rays = (
        np.linalg.inv(wide[:, :3])
        @ np.array([(column, row, 1.0) for row in range(SIZE[0]) for column in range(SIZE[1])]).T
    )
    seen = seen_by_lens(CAMERA, np.array(LENSES['plumb_bob']), 'plumb_bob', rays.T)
    column, row = seen.T
    outside = (column < -0.5) | (column > SIZE[1] - 0.5) | (row < -0.5) | (row > SIZE[0] - 0.5)

    assert 0.1 < outside.mean() < 0.9
    assert np.mean(rectification.unknown.ravel() == outside) > 0.9999


def test_a_camera_without_distortion_is_left_as_it_is():
    for model, coefficients in (('plumb_bob', [0.0] * 5), ('', []), ('plumb_bob', [])):
        info = camera_info(
            model,
            d=coefficients,
            r=np.eye(3).ravel(),
            p=np.hstack([CAMERA, np.zeros((3, 1))]).ravel(),
        )
        rectification = make_rectification(info, SIZE)
        image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)

        np.testing.assert_array_equal(rectification.apply(image), image)
        assert rectification.unknown is None


def test_region_and_binning_of_the_sensor_are_part_of_the_rectified_image():
    roi_info = camera_info(binning_x=2, binning_y=2)
    roi_info.roi.x_offset, roi_info.roi.y_offset = 16, 8
    roi_info.roi.width, roi_info.roi.height = 288, 224
    size = (112, 144)
    rectification = make_rectification(roi_info, size)
    pixels = seen_by_lens(CAMERA, np.array(LENSES['plumb_bob']), 'plumb_bob')
    image = draw(size, (pixels - (16, 8) + 0.5) / 2 - 0.5, radius=4.0)[4]

    assert rectification.camera_info.roi.x_offset == 0
    assert rectification.camera_info.binning_x == 0
    left = np.reshape(rectification.camera_info.p, (3, 4)) @ np.diag([1, 1, 1, 0])
    expected = seen_through(left, POINTS @ ROTATION.T)[4]
    np.testing.assert_allclose(find(rectification.apply(image)), expected, atol=0.3)


def test_an_image_that_is_rectified_already_has_the_k_of_p_and_no_distortion():
    info = camera_info(binning_x=2, binning_y=2)
    rectified = rescale(rectified_info(info), (120, 160), (120, 160))

    assert (rectified.k[0], rectified.k[4]) == (info.p[0] / 2, info.p[5] / 2)
    assert info.p[0] != info.k[0]
    assert list(rectified.d) == [0.0] * 5
    with pytest.raises(CameraInfoError, match='its P has no focal length'):
        rectified_info(camera_info(p=np.zeros(12)))


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'model': 'fov'}, "its distortion model 'fov' is not known: calibrate with one of plumb"),
        ({'d': [0.1, 0.2]}, 'it has 2 distortion coefficients and plumb_bob has 4 or 5'),
        ({'model': 'equidistant', 'd': []}, 'it has 0 distortion coefficients and equidistant'),
        ({'p': np.zeros(12)}, 'its P has no focal length'),
        ({'r': np.zeros(9)}, 'its R is no rotation'),
        ({'k': np.zeros(9)}, 'uncalibrated camera'),
        ({'height': 480}, 'describes an image of 320x480 and the image is 320x240'),
    ],
)
def test_a_camera_info_that_cannot_rectify_says_why(changes, reason):
    with pytest.raises(CameraInfoError, match=reason):
        make_rectification(camera_info(**changes), SIZE)


def test_tables_are_made_once_for_each_calibration():
    rectifier = Rectifier()
    first = rectifier.rectification(camera_info(), SIZE)

    assert rectifier.rectification(camera_info(), SIZE) is first
    other = rectifier.rectification(camera_info(d=[0.0, 0.1, 0.0, 0.0, 0.0]), SIZE)
    assert other is not first
    assert rectifier.rectification(camera_info('equidistant'), SIZE) is not other
