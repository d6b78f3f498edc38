"""The errors of Eigen et al., against the formulas of the evaluation code that papers share."""

import math

import pytest
import torch

from emu_model.metrics import DepthMetrics, EigenMetrics


def errors_of_image(depth, target, nearest, farthest):
    """Pixel by pixel."""
    sums = dict.fromkeys(('abs_rel', 'sq_rel', 'square', 'log', 'delta1', 'delta2', 'delta3'), 0.0)
    count = 0
    for mu, y in zip(depth.flatten().tolist(), target.flatten().tolist()):
        if y <= 0 or not math.isfinite(mu):
            continue
        count += 1
        mu = min(max(mu, nearest), farthest)
        sums['abs_rel'] += abs(mu - y) / y
        sums['sq_rel'] += (mu - y) ** 2 / y
        sums['square'] += (mu - y) ** 2
        sums['log'] += (math.log(mu) - math.log(y)) ** 2
        for power in (1, 2, 3):
            sums[f'delta{power}'] += max(mu / y, y / mu) < 1.25**power
    means = {name: value / count for name, value in sums.items()}
    means['rmse'] = math.sqrt(means.pop('square'))
    means['rmse_log'] = math.sqrt(means.pop('log'))
    return means


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    target = 79 * torch.rand(4, 6, 8, generator=generator) + 1
    # Half of the first, an eighth of the second, none of the third is measured.
    target[0, ::2] = 0
    target[1, :, 1:] = 0
    target[2] = 0
    depth = target * (0.5 + torch.rand(target.shape, generator=generator))
    depth[0, 1, :3] = torch.tensor([-1.0, 0.0, 500.0])
    return depth, target


def test_every_image_counts_alike_and_predictions_are_clamped(images):
    depth, target = images
    metrics = EigenMetrics((1e-3, 80.0))
    metrics.update(depth[:2], target[:2])
    metrics.update(depth[2:], target[2:])
    of_images = [errors_of_image(depth[i], target[i], 1e-3, 80.0) for i in (0, 1, 3)]
    expected = {name: sum(image[name] for image in of_images) / 3 for name in of_images[0]}
    expected['pixels'] = int((target > 0).sum())
    assert metrics.compute() == pytest.approx({**expected, 'nonfinite_pixels': 0}, rel=1e-6)


def test_pixels_without_a_finite_prediction_are_left_out_and_counted(images):
    depth, target = images
    depth[0, 1, 3:6] = torch.tensor([math.nan, math.inf, -math.inf])
    depth[0, 0, 0] = math.nan  # not measured
    depth[1] = math.nan
    metrics = EigenMetrics((1e-3, 80.0))
    metrics.update(depth, target)
    of_images = [errors_of_image(depth[i], target[i], 1e-3, 80.0) for i in (0, 3)]
    expected = {name: sum(image[name] for image in of_images) / 2 for name in of_images[0]}
    expected['nonfinite_pixels'] = 3 + int((target[1] > 0).sum())
    expected['pixels'] = int((target > 0).sum()) - expected['nonfinite_pixels']
    assert metrics.compute() == pytest.approx(expected, rel=1e-6)


def test_of_one_image_within_the_range_they_are_the_pooled_figures(images):
    depth, target = images
    metrics, pooled = EigenMetrics((1e-3, 200.0)), DepthMetrics()
    metrics.update(depth[3:], target[3:])
    pooled.update(depth[3:], target[3:])
    figures = metrics.compute()
    assert figures == pytest.approx({name: pooled.compute()[name] for name in figures})


def test_without_a_measurement_there_are_no_figures():
    metrics = EigenMetrics((1e-3, 80.0))
    metrics.update(torch.ones(1, 2, 2), torch.zeros(1, 2, 2))
    figures = metrics.compute()
    assert figures.pop('pixels') == figures.pop('nonfinite_pixels') == 0
    assert set(figures.values()) == {None}
