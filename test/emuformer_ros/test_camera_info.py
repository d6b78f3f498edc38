import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from emuformer_ros.geometry.camera_info import CameraInfoError, focal_length_px, rescale

# A rectified right camera of a stereo pair, 0.12 m beside the left one: P[3] is -fx * 0.12.
FX, FY, CX, CY = 500.0, 510.0, 321.5, 238.25


def camera_info(**changes) -> CameraInfo:
    fields = {
        'header': Header(frame_id='camera'),
        'height': 480,
        'width': 640,
        'distortion_model': 'plumb_bob',
        'd': [0.1, -0.2, 0.01, 0.02, 0.3],
        'k': [FX, 0.0, CX, 0.0, FY, CY, 0.0, 0.0, 1.0],
        'r': [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        'p': [FX, 0.0, CX, -60.0, 0.0, FY, CY, 7.0, 0.0, 0.0, 1.0, 0.0],
    }
    return CameraInfo(**{**fields, **changes})


def project(projection, point) -> np.ndarray:
    """Pixel that a point (x, y, z) of the optical frame is seen at."""
    u, v, w = np.reshape(projection, (3, 4)) @ np.append(point, 1.0)
    return np.array([u / w, v / w])


def test_the_same_size_leaves_the_intrinsics_as_they_are():
    info = camera_info()
    same = rescale(info, (480, 640), (480, 640))

    np.testing.assert_allclose(same.k, info.k)
    np.testing.assert_allclose(same.p, info.p)
    assert (same.height, same.width) == (480, 640)
    assert same.header.frame_id == 'camera'
    assert list(same.d) == list(info.d)
    assert same.distortion_model == info.distortion_model


def test_half_the_size_halves_focal_lengths_and_moves_pixel_centres_by_a_quarter():
    half = rescale(camera_info(), (480, 640), (240, 320))

    np.testing.assert_allclose(half.k, [250, 0, 160.5, 0, 255, 118.875, 0, 0, 1])
    np.testing.assert_allclose(half.p, [250, 0, 160.5, -30, 0, 255, 118.875, 3.5, 0, 0, 1, 0])


def test_a_point_lands_on_the_same_part_of_the_image_at_any_size():
    info = camera_info()
    point = np.array([0.4, -0.3, 3.0])
    u, v = project(info.p, point)

    for size in ((480, 640), (240, 320), (96, 128), (512, 512), (1080, 1920)):
        resized = rescale(info, (480, 640), size)
        # The edge of the first pixel is half a pixel before its centre, at any size.
        expected = [(u + 0.5) / 640 * size[1] - 0.5, (v + 0.5) / 480 * size[0] - 0.5]
        np.testing.assert_allclose(project(resized.p, point), expected, rtol=1e-12)


def test_the_baseline_of_a_stereo_pair_survives():
    resized = rescale(camera_info(), (480, 640), (96, 128))

    assert -resized.p[3] / resized.p[0] == pytest.approx(0.12)


def test_a_region_of_interest_is_folded_in_and_zeroed():
    roi = RegionOfInterest(x_offset=100, y_offset=40, width=320, height=240, do_rectify=True)
    folded = rescale(camera_info(roi=roi), (240, 320), (240, 320))

    assert folded.roi == RegionOfInterest()
    np.testing.assert_allclose([folded.k[2], folded.k[5]], [CX - 100, CY - 40])
    np.testing.assert_allclose([folded.p[2], folded.p[6]], [CX - 100, CY - 40])
    np.testing.assert_allclose([folded.k[0], folded.k[4]], [FX, FY])


def test_binning_is_folded_in_and_zeroed():
    folded = rescale(camera_info(binning_x=2, binning_y=4), (120, 320), (120, 320))

    assert (folded.binning_x, folded.binning_y) == (0, 0)
    np.testing.assert_allclose([folded.k[0], folded.k[4]], [FX / 2, FY / 4])
    np.testing.assert_allclose(
        [folded.k[2], folded.k[5]], [(CX + 0.5) / 2 - 0.5, (CY + 0.5) / 4 - 0.5]
    )


def test_region_binning_and_resizing_equal_one_after_the_other():
    roi = RegionOfInterest(x_offset=64, y_offset=32, width=512, height=384)
    at_once = rescale(camera_info(roi=roi, binning_x=2, binning_y=2), (192, 256), (100, 90))

    cropped = rescale(camera_info(roi=roi), (384, 512), (384, 512))
    binned = rescale(cropped, (384, 512), (192, 256))
    resized = rescale(binned, (192, 256), (100, 90))
    np.testing.assert_allclose(at_once.k, resized.k)
    np.testing.assert_allclose(at_once.p, resized.p)


def test_a_size_that_binning_does_not_divide_keeps_the_scale_of_the_binning():
    odd = rescale(camera_info(width=641, binning_x=2, binning_y=2), (240, 320), (240, 320))

    assert odd.k[0] == pytest.approx(FX / 2)


def test_the_input_is_left_alone():
    info = camera_info(binning_x=2, binning_y=2)
    rescale(info, (240, 320), (48, 64))

    assert info == camera_info(binning_x=2, binning_y=2)


def test_an_uncalibrated_camera_is_refused():
    with pytest.raises(CameraInfoError, match=r'uncalibrated camera \(fx 0.0, fy 0.0\)'):
        rescale(camera_info(k=[0.0] * 9), (480, 640), (480, 640))


@pytest.mark.parametrize('number', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(('field', 'length', 'index'), [('k', 9, 2), ('d', 5, 4), ('p', 12, 6)])
def test_numbers_that_are_not_finite_are_refused(field, length, index, number):
    values = [*getattr(camera_info(), field)] or [0.0] * length
    values[index] = number
    with pytest.raises(CameraInfoError, match='not finite: calibrate the camera again'):
        rescale(camera_info(**{field: values}), (480, 640), (480, 640))


def test_an_image_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(CameraInfoError, match='of 640x480 and the image is 320x240'):
        rescale(camera_info(), (240, 320), (240, 320))


def test_the_focal_length_is_the_geometric_mean():
    info = camera_info(k=[400.0, 0.0, 1.0, 0.0, 900.0, 1.0, 0.0, 0.0, 1.0])

    assert focal_length_px(info) == pytest.approx(600.0)
