import numpy as np

from emu_model.prediction import Prediction
from emuformer_ros.metric_depth import calibrate_depth

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
