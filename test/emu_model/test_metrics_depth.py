import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    mean_absolute_percentage_error,
    root_mean_squared_error,
)

from emu_model.metrics import DepthMetrics

B, H, W = 3, 9, 11


@pytest.fixture(scope='module')
def batch():
    """A prediction, its variance, and a target with holes of each kind."""
    generator = torch.Generator().manual_seed(0)
    depth = 1 + 9 * torch.rand(B, H, W, generator=generator)
    std = 0.2 + 2 * torch.rand(B, H, W, generator=generator)
    target = (depth + std * torch.randn(B, H, W, generator=generator)).clamp_min(0.1)
    target[:, 0], target[:, 1, 0], target[:, 1, 1] = 0, torch.nan, torch.inf
    return {'depth': depth, 'target': target, 'variance': std.square()}


def computed(batch, all_pixels=False):
    metrics = DepthMetrics(all_pixels=all_pixels)
    metrics.update(**batch)
    return metrics.compute()


def measured_pixels(batch):
    """Image, prediction, measurement and variance of each measured pixel, as Python numbers."""
    maps = [batch[name].double().numpy() for name in ('depth', 'target', 'variance')]
    for index in np.ndindex(maps[0].shape):
        depth, target, variance = (float(values[index]) for values in maps)
        if math.isfinite(target) and target > 0:
            yield index[0], depth, target, variance


def test_errors_equal_a_plain_loop_over_the_pixels(batch):
    rows = list(measured_pixels(batch))
    square = [(m - y) ** 2 for _, m, y, _ in rows]
    expected = {
        'rmse': math.sqrt(np.mean(square)),
        'rmse_log': math.sqrt(np.mean([math.log(m / y) ** 2 for _, m, y, _ in rows])),
        'abs_rel': np.mean([abs(m - y) / y for _, m, y, _ in rows]),
        'sq_rel': np.mean([(m - y) ** 2 / y for _, m, y, _ in rows]),
        'imae': 1000 * np.mean([abs(1 / m - 1 / y) for _, m, y, _ in rows]),
        'nll': np.mean([0.5 * ((m - y) ** 2 / v + math.log(v)) for _, m, y, v in rows]),
    }
    results = computed(batch)
    assert {key: results[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    assert results['pixels'] == len(rows)


def test_shares_equal_a_plain_loop_over_the_pixels(batch):
    rows = list(measured_pixels(batch))
    expected = {
        f'delta{n}': np.mean([max(m / y, y / m) < 1.25**n for _, m, y, _ in rows])
        for n in (1, 2, 3)
    }
    for k in (1, 2):
        expected[f'coverage_{k}sigma'] = np.mean(
            [abs(y - m) <= k * math.sqrt(v) for _, m, y, v in rows]
        )
    results = computed(batch)
    assert {key: results[key] for key in expected} == pytest.approx(expected, rel=1e-15)


def test_silog_equals_a_plain_loop_over_the_images(batch):
    per_image = []
    for image in range(B):
        d = [math.log(m / y) for i, m, y, _ in measured_pixels(batch) if i == image]
        per_image.append(100 * math.sqrt(np.mean(np.square(d)) - np.mean(d) ** 2))
    assert computed(batch)['silog'] == pytest.approx(np.mean(per_image), rel=1e-12)


@pytest.mark.parametrize('all_pixels', [False, True])
def test_accuracy_versus_uncertainty_equals_a_plain_loop_over_the_pixels(batch, all_pixels):
    depth, target, variance = (
        batch[name].double().numpy() for name in ('depth', 'target', 'variance')
    )
    n = {(accurate, certain): 0 for accurate in (0, 1) for certain in (0, 1)}
    for image in range(B):
        measured = [
            (row, column)
            for row, column in np.ndindex(H, W)
            if math.isfinite(target[image, row, column]) and target[image, row, column] > 0
        ]
        counted = list(np.ndindex(H, W)) if all_pixels else measured
        threshold = np.mean([variance[image][p] for p in counted])
        for p in counted:
            m, y = depth[image][p], target[image][p]
            accurate = p in measured and max(m / y, y / m) < 1.25
            n[int(accurate), int(variance[image][p] <= threshold)] += 1
    results = computed(batch, all_pixels)
    assert results['p_accurate_certain'] == n[1, 1] / (n[1, 1] + n[0, 1])
    assert results['p_uncertain_inaccurate'] == n[0, 0] / (n[0, 1] + n[0, 0])
    assert results['pavpu'] == (n[1, 1] + n[0, 0]) / sum(n.values())
    assert results['delta1'] == (n[1, 1] + n[1, 0]) / sum(n.values())


def test_errors_equal_those_of_scikit_learn(batch):
    measured = batch['target'].isfinite() & (batch['target'] > 0)
    depth, target = (batch[name][measured].double().numpy() for name in ('depth', 'target'))
    results = computed(batch)
    assert results['rmse'] == pytest.approx(root_mean_squared_error(target, depth), rel=1e-12)
    assert results['abs_rel'] == pytest.approx(mean_absolute_percentage_error(target, depth))


def test_errors_of_a_constant_factor_in_closed_form():
    target = torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
    results = computed({'depth': 1.5 * target, 'target': target})
    mean_square = (1 + 4 + 16 + 64) / 4
    assert results['rmse'] == pytest.approx(0.5 * math.sqrt(mean_square))
    assert results['rmse_log'] == pytest.approx(math.log(1.5), rel=1e-6)  # 1.5 y in fp32
    assert results['abs_rel'] == pytest.approx(0.5)
    assert results['sq_rel'] == pytest.approx(0.25 * (1 + 2 + 4 + 8) / 4)
    assert results['silog'] == pytest.approx(0, abs=1e-9)
    assert (results['delta1'], results['delta2'], results['delta3']) == (0, 1, 1)


def test_rmse_pools_pixels_and_not_images():
    target = torch.tensor([[[1.0, 1.0, 1.0, 1.0]], [[1.0, 0.0, 0.0, 0.0]]])
    depth = torch.tensor([[[1.0, 1.0, 1.0, 1.0]], [[6.0, 9.0, 9.0, 9.0]]])
    assert computed({'depth': depth, 'target': target})['rmse'] == pytest.approx(math.sqrt(5))


def test_ratio_of_exactly_the_threshold_is_not_within():
    target = torch.tensor([[[4.0, 5.0]]])
    results = computed({'depth': torch.tensor([[[5.0, 4.0]]]), 'target': target})
    assert results['delta1'] == 0


@pytest.mark.parametrize('depth', [0.0, -3.0])
def test_depth_that_is_not_positive_is_inaccurate_and_has_finite_errors(depth):
    target = torch.full((1, 1, 1), 2.0)
    results = computed({'depth': torch.full((1, 1, 1), depth), 'target': target})
    assert results['delta1'] == results['delta3'] == 0
    assert results['rmse'] == 2 - depth
    assert results['rmse_log'] == pytest.approx(math.log(2 / 1e-3))


def test_gaussian_errors_are_covered_as_a_gaussian_says():
    generator = torch.Generator().manual_seed(1)
    std = 0.1 + torch.rand(4, 200, 250, generator=generator)
    target = 20 + std * torch.randn(std.shape, generator=generator)
    results = computed(
        {'depth': torch.full_like(std, 20), 'target': target, 'variance': std.square()}
    )
    # Five standard deviations of a share of 200,000 pixels.
    assert results['coverage_1sigma'] == pytest.approx(math.erf(1 / math.sqrt(2)), abs=5.2e-3)
    assert results['coverage_2sigma'] == pytest.approx(math.erf(math.sqrt(2)), abs=2.4e-3)
    expected_nll = 0.5 + std.double().log().mean().item()
    assert results['nll'] == pytest.approx(expected_nll, abs=8e-3)  # std of ½z² is 0.71


def test_variance_of_zero_has_a_finite_likelihood():
    zero = torch.zeros(1, 1, 1)
    results = computed({'depth': zero + 2, 'target': zero + 2, 'variance': zero})
    assert results['nll'] == pytest.approx(0.5 * math.log(1e-6))
    assert results['coverage_1sigma'] == 1


def test_all_pixels_change_only_what_needs_no_measurement(batch):
    measured, every = computed(batch), computed(batch, all_pixels=True)
    assert {key for key in measured if measured[key] != every[key]} == {
        'delta1', 'delta2', 'delta3', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu',
        'ause_delta1', 'aurg_delta1', 'pixels',
    }  # fmt: skip
    assert every['pixels'] == B * H * W
    assert every['delta3'] == measured['delta3'] * measured['pixels'] / every['pixels']


def test_valid_mask_and_holes_in_the_target_do_the_same(batch):
    valid = torch.rand(B, H, W, generator=torch.Generator().manual_seed(2)) < 0.5
    holes = {**batch, 'target': torch.where(valid, batch['target'], 0)}
    assert computed({**batch, 'valid': valid}) == computed(holes)


def test_not_finite_predictions_are_left_out_and_counted(batch):
    damaged = {name: value.clone() for name, value in batch.items()}
    damaged['depth'][0, 4, 4] = torch.nan
    damaged['variance'][1, 4, 4] = torch.inf
    damaged['depth'][2, 0, 0] = torch.nan  # not measured: not missed
    without = {name: value.clone() for name, value in batch.items()}
    without['target'][0, 4, 4] = without['target'][1, 4, 4] = 0
    results, expected = computed(damaged), computed(without)
    assert results.pop('nonfinite_pixels') == 2
    assert expected.pop('nonfinite_pixels') == 0
    assert results == expected


def test_everything_is_none_without_a_measured_pixel():
    zeros = torch.zeros(2, 3, 3)
    results = computed({'depth': zeros + 1, 'target': zeros, 'variance': zeros})
    assert results.pop('pixels') == results.pop('nonfinite_pixels') == 0
    assert set(results.values()) == {None}


def test_figures_of_the_variance_are_none_without_one(batch):
    results = computed({'depth': batch['depth'], 'target': batch['target']})
    assert {key for key, value in results.items() if value is not None} == {
        'rmse', 'rmse_log', 'abs_rel', 'sq_rel', 'imae', 'silog', 'delta1', 'delta2', 'delta3',
        'pixels', 'nonfinite_pixels',
    }  # fmt: skip


@given(st.lists(st.floats(0.01, 80), min_size=1, max_size=20), st.floats(0.1, 10))
def test_scale_changes_neither_silog_nor_its_zero_for_a_right_shape(depths, scale):
    depth = torch.tensor(depths, dtype=torch.float64)[None, None]
    results = computed({'depth': scale * depth, 'target': depth})
    assert results['silog'] == pytest.approx(0, abs=1e-10)
    assert results['abs_rel'] == pytest.approx(abs(scale - 1), abs=1e-12)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'target': torch.ones(B, H, 1)}, 'maps differ in shape'),
        ({'variance': torch.full((B, H, W), -2.0)}, 'variance is as low as -2, expected 0 or'),
        ({'valid': torch.ones(B, H, W, dtype=torch.uint8)}, 'valid is torch.uint8'),
    ],
)
def test_wrong_input_is_refused_before_anything_is_counted(batch, changes, message):
    metrics = DepthMetrics()
    with pytest.raises(ValueError, match=message):
        metrics.update(**{**batch, **changes})
    assert metrics.compute()['pixels'] == 0
