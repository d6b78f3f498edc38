import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from emu_model import scenes
from emu_model.checkpoint import BUNDLED
from emu_model.engines import create_engine
from emu_model.framing import RESIZE_MODES, frame_window
from emu_model.geometry import Intrinsics
from emu_model.prediction import Prediction
from emuformer_ros.geometry.camera_info import CameraInfoError
from emuformer_ros.geometry.metric_depth import calibrate_depth, depth_scale

DEPTH = np.array([[0.0, 0.5, 1.0], [4.0, 8.0, 8.5]], np.float32)
STD = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)


def test_depth_and_std_are_proportional_to_the_focal_length():
    calibrated = calibrate_depth(Prediction(depth=DEPTH + 1, depth_std=STD), None, 1.5)

    np.testing.assert_array_equal(calibrated.depth, (DEPTH + 1) * np.float32(1.5))
    np.testing.assert_array_equal(calibrated.depth_std, STD * np.float32(1.5))


def test_depth_is_nan_where_it_is_not_positive_or_outside_the_range_before_rescaling():
    calibrated = calibrate_depth(Prediction(depth=DEPTH), (1.0, 8.0), 3.0)

    nan = np.nan
    np.testing.assert_array_equal(calibrated.depth, [[nan, nan, 3.0], [12.0, 24.0, nan]])


@pytest.mark.parametrize('focal_px', [1e-300, 0.01, 1e7, 1e300])
def test_a_focal_length_that_no_camera_has_is_refused(focal_px):
    info = info_of((48, 64), Intrinsics(focal_px, focal_px, 31.5, 23.5))
    with pytest.raises(CameraInfoError, match='calibrate the camera again'):
        depth_scale(info, (48, 64), (48, 64), 100.0)


def test_without_a_range_only_depths_that_are_not_positive_are_nan():
    calibrated = calibrate_depth(Prediction(depth=DEPTH), None, 1.0)

    np.testing.assert_array_equal(np.isnan(calibrated.depth), DEPTH <= 0)


def test_a_range_from_zero_leaves_out_zero_itself():
    assert np.isnan(calibrate_depth(Prediction(depth=DEPTH), (0.0, 8.0), 1.0).depth[0, 0])


def test_maps_stay_float32_and_other_maps_stay_as_they_are():
    classes = np.zeros((2, 3), np.uint8)
    calibrated = calibrate_depth(Prediction(classes=classes, depth=DEPTH), (1.0, 8.0), 2.0)

    assert calibrated.depth.dtype == np.float32
    assert calibrated.classes is classes
    assert calibrated.depth_std is None


def info_of(size: tuple[int, int], camera: Intrinsics) -> CameraInfo:
    k = camera.matrix()
    p = np.hstack([k, np.zeros((3, 1))])
    return CameraInfo(height=size[0], width=size[1], k=k.ravel(), p=p.ravel())


@pytest.mark.parametrize('network_size', [(96, 128), (128, 128), (100, 240)], ids=str)
@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_a_ball_is_as_far_away_through_any_lens(mode, network_size):
    """The network is one that tells the distance of a ball by its size, for 150 px."""
    size, calibrated_px, distance_m, radius_m = (240, 320), 150.0, 5.0, 1.0
    framing = frame_window(size, network_size, mode)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for focal_px in (150.0, 200.0, 300.0):
        apart = np.hypot(rows - 119.5, columns - 159.5)
        ball = (255 * (apart < focal_px * radius_m / distance_m)).astype(np.uint8)
        picture = framing.picture(ball[..., None].repeat(3, axis=2))
        seen = cv2.resize(picture, network_size[::-1], interpolation=cv2.INTER_AREA)[..., 0]
        # What is grey for padding is no ball.
        area = (seen > 128).sum()
        told = Prediction(
            depth=np.full((1, 1), calibrated_px * radius_m / np.sqrt(area / np.pi), np.float32)
        )
        info = info_of(size, Intrinsics(focal_px, focal_px, 159.5, 119.5))
        scale = depth_scale(info, size, network_size, calibrated_px, framing)

        # The ball's edge is made of whole pixels.
        assert calibrate_depth(told, None, scale).depth[0, 0] == pytest.approx(
            distance_m, rel=0.04
        )


@pytest.mark.parametrize('kind', scenes.KINDS)
def test_one_scene_is_as_far_away_through_two_lenses(kind):
    size, focal_lengths = (192, 256), (180.0, 270.0)
    engine = create_engine(BUNDLED, device='cpu')
    ratios, uncorrected = [], []
    for seed in range(900_000, 900_008):
        depths, frames = [], []
        for focal_px in focal_lengths:
            frame = scenes.render(kind, seed, *size, focal_length_px=focal_px)
            info = info_of(size, frame.intrinsics)
            scale = depth_scale(info, size, engine.network_size, engine.info.focal_length_px)
            depths.append(
                calibrate_depth(engine.predict(frame.image, ['depth']), None, scale).depth
            )
            frames.append(frame)
        wide, wide_truth = (through(frames, values) for values in (depths[0], frames[0].depth))
        same = np.isclose(wide_truth, frames[1].depth, rtol=0.02) & np.isfinite(wide_truth)
        ratios.append(np.nanmedian((depths[1] / wide)[same]))
        uncorrected.append(ratios[-1] * focal_lengths[0] / focal_lengths[1])
    engine.close()

    # The network errs by about as much from one picture to the next.
    assert np.median(ratios) == pytest.approx(1, abs=0.12)
    assert np.median(uncorrected) < 0.75


def through(frames: list[scenes.Frame], values: np.ndarray) -> np.ndarray:
    """A map of the first camera, as the second one would see it."""
    wide, narrow = (frame.intrinsics for frame in frames)
    rows, columns = np.indices(values.shape)
    return cv2.remap(
        values,
        ((columns - narrow.cx) * wide.fx / narrow.fx + wide.cx).astype(np.float32),
        ((rows - narrow.cy) * wide.fy / narrow.fy + wide.cy).astype(np.float32),
        cv2.INTER_NEAREST,
    )
