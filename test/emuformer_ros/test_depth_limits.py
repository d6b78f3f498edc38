import math
from dataclasses import replace

import numpy as np
import pytest

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction
from emuformer_ros.maps.depth_limits import DepthLimitError, DepthLimits, depth_limits
from emuformer_ros.parameters import PARAMETERS

NORMAL = {
    'depth_std': {'pixel': {'0.5': 1.0, '0.9': 3.0, '0.95': 4.0}},
    'entropy': {'pixel': {'0.5': 0.2, '0.9': 1.0}},
}
OFF = {name: 0.0 for name in PARAMETERS if name.startswith(('max_depth_std', 'max_entropy'))}


def limits(info=None, depth_scale=1.0, **parameters) -> DepthLimits:
    values = {**OFF, **parameters}
    assert set(values) == set(OFF)
    return depth_limits(values.__getitem__, info or checkpoint(), depth_scale)


def checkpoint(network='SegDepthFormer', normal=NORMAL) -> CheckpointInfo:
    return CheckpointInfo(network, 'mit_b0', 256, normal_uncertainty=normal)


def test_without_limits_every_depth_is_reliable():
    assert limits() == DepthLimits(math.inf, math.inf, math.inf)

    depth = np.array([[0.1, 80, np.nan]], np.float32)
    maps = Prediction(depth=depth, depth_std=np.full((1, 3), 1e6, np.float32))
    np.testing.assert_array_equal(limits().reliable_depth(maps), depth)


def test_of_a_length_and_a_quantile_the_strictest_applies():
    assert limits(max_depth_std_m=2.5, max_depth_std_quantile=0.9).std_m == 2.5
    assert limits(max_depth_std_m=3.5, max_depth_std_quantile=0.9).std_m == 3.0
    assert limits(max_entropy_nats=0.5, max_entropy_quantile=0.9).entropy_nats == 0.5


def test_quantiles_of_the_depth_are_rescaled_to_the_camera_and_lengths_are_not():
    assert limits(depth_scale=2.0, max_depth_std_quantile=0.5).std_m == 2.0
    assert limits(depth_scale=2.0, max_depth_std_m=1.5).std_m == 1.5
    assert limits(depth_scale=2.0, max_entropy_quantile=0.5).entropy_nats == 0.2


def test_between_two_quantiles_the_limit_is_between_theirs():
    assert limits(max_depth_std_quantile=0.7).std_m == pytest.approx(2.0)


@pytest.mark.parametrize('quantile', [0.4, 0.96])
def test_a_quantile_that_the_checkpoint_does_not_know_is_an_error_with_those_that_it_does(
    quantile,
):
    with pytest.raises(DepthLimitError, match=r'quantiles of depth_std from 0\.5 to 0\.95'):
        limits(max_depth_std_quantile=quantile)


@pytest.mark.parametrize('parameter', ['max_depth_std_quantile', 'max_entropy_quantile'])
def test_a_quantile_of_a_checkpoint_without_any_is_an_error_that_says_what_to_set(parameter):
    with pytest.raises(DepthLimitError, match=rf'{parameter} is 0\.9 .*no quantiles.*set it to 0'):
        limits(checkpoint(normal={}), **{parameter: 0.9})


@pytest.mark.parametrize('parameter', ['max_entropy_nats', 'max_entropy_quantile'])
def test_a_limit_on_classes_that_a_network_does_not_have_is_an_error(parameter):
    with pytest.raises(DepthLimitError, match=rf'no classes: .*{parameter}.* to 0'):
        limits(checkpoint('DepthFormer'), **{parameter: 0.5})


@pytest.mark.parametrize(
    'chosen',
    [
        DepthLimits(std_m=0.5),
        DepthLimits(std_ratio=0.3),
        DepthLimits(entropy_nats=0.4),
        DepthLimits(0.8, 0.2, 0.9),
    ],
    ids=str,
)
def test_depth_is_missing_exactly_where_an_uncertainty_is_over_its_limit(chosen):
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.1, 5, (40, 50)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.1] = np.nan
    std, entropy = (rng.random(depth.shape).astype(np.float32) for _ in range(2))
    std[0, 0] = entropy[0, 1] = np.nan
    kept = chosen.reliable_depth(Prediction(depth=depth, depth_std=std, entropy=entropy))

    assert kept.dtype == np.float32
    assert 0.05 < np.isfinite(kept).mean() < 0.95
    for pixel in np.ndindex(depth.shape):
        reliable = (
            std[pixel] <= np.float32(chosen.std_m)
            and std[pixel] <= depth[pixel] * np.float32(chosen.std_ratio)
            and (chosen.entropy_nats == math.inf or entropy[pixel] <= chosen.entropy_nats)
        )
        np.testing.assert_equal(kept[pixel], depth[pixel] if reliable else np.nan)


def test_entropy_is_needed_while_it_has_a_limit_only():
    assert limits(max_depth_std_m=1.0, max_depth_std_quantile=0.5).needs == ()
    assert limits(max_entropy_quantile=0.5).needs == ('entropy',)


def test_a_limit_is_itself_within():
    maps = Prediction(depth=np.float32([[2, 2]]), depth_std=np.float32([[0.5, 0.5001]]))

    expected = [[False, True]]
    assert np.isnan(DepthLimits(std_m=0.5).reliable_depth(maps)).tolist() == expected
    assert np.isnan(DepthLimits(std_ratio=0.25).reliable_depth(maps)).tolist() == expected


@pytest.mark.parametrize(
    'parameter', ['max_depth_std_m', 'max_depth_std_ratio', 'max_depth_std_quantile']
)
def test_a_standard_deviation_that_was_not_trained_limits_nothing(parameter):
    untrained = replace(checkpoint(), training={'depth_loss': 'l1'})

    with pytest.raises(DepthLimitError, match="depth loss 'l1', does not know it: set"):
        limits(untrained, **{parameter: 0.5})
    assert limits(untrained, max_entropy_nats=0.5).entropy_nats == 0.5
