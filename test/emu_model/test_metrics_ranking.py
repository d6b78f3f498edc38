from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from emu_model.metrics import DepthMetrics, RiskCoverage, Sparsification
from emu_model.metrics.ranking import Ranking, cumulate_ascending, retained_error

SHAPE = (2, 8, 9)


def every(shape=SHAPE):
    return torch.ones(shape, dtype=torch.bool)


def sparsified(error, uncertainty, counted=None, **options):
    metric = Sparsification(**options)
    metric.update(error, uncertainty, every(error.shape) if counted is None else counted)
    return metric.compute()


def expected_over_tie_orders(error, uncertainty, kept):
    """Mean error of the `kept` least uncertain, averaged over random orders within ties."""
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(4000):
        order = np.lexsort((generator.random(len(error)), uncertainty))
        draws.append(np.mean(np.asarray(error)[order[:kept]]))
    return np.mean(draws), np.std(draws) / np.sqrt(len(draws))


@pytest.mark.parametrize('kept', [1, 2, 3, 5, 8])
def test_retained_error_is_the_mean_over_random_orders_of_ties(kept):
    error = [5.0, 0.0, 2.0, 1.0, 7.0, 3.0, 0.5, 4.0]
    uncertainty = [1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0, 2.0]
    mean, deviation = expected_over_tie_orders(error, uncertainty, kept)
    cumulated = Ranking.by(torch.tensor(uncertainty)).cumulate(torch.tensor(error))
    (value,) = retained_error(cumulated, torch.tensor([kept]).double())
    assert value.item() == pytest.approx(mean, abs=5 * deviation + 1e-12)


@settings(max_examples=50)
@given(st.data())
def test_retained_error_without_ties_is_the_plain_mean(data):
    count = data.draw(st.integers(1, 30))
    uncertainty = data.draw(st.permutations(range(count)))
    error = data.draw(st.lists(st.floats(0, 100), min_size=count, max_size=count))
    order = np.argsort(uncertainty)
    expected = [np.mean(np.asarray(error)[order[: k + 1]]) for k in range(count)]
    kept = torch.arange(1, count + 1).double()
    ranking = Ranking.by(torch.tensor(uncertainty))
    values = retained_error(ranking.cumulate(torch.tensor(error, dtype=torch.float64)), kept)
    assert values.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_ranking_of_some_pixels_is_that_of_the_pixels_alone():
    generator = torch.Generator().manual_seed(5)
    uncertainty = torch.randint(0, 6, (80,), generator=generator).float()
    uncertainty[7] = torch.nan  # left out below
    error = torch.rand(80, generator=generator)
    some = (torch.rand(80, generator=generator) < 0.6) & uncertainty.isfinite()
    found = Ranking.by(uncertainty).of(some).cumulate(error)
    expected = Ranking.by(uncertainty[some]).cumulate(error[some])
    assert found.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize('threshold', [None, 0.3, 0.0])
def test_the_lowest_errors_are_summed_in_order(threshold):
    error = torch.rand(50, generator=torch.Generator().manual_seed(6))
    error = error if threshold is None else error < threshold
    expected = np.cumsum(np.sort(error.numpy()), dtype=np.float64)
    assert cumulate_ascending(error).tolist() == pytest.approx(expected.tolist())


def mono_uncertainty_areas(error, uncertainty, root):
    """AUSE and AURG by thresholds at percentiles, 50 intervals (Poggi et al. 2020)."""
    error, uncertainty = np.asarray(error, np.float64), np.asarray(uncertainty, np.float64)
    mean = (lambda e: np.sqrt(np.mean(e))) if root else np.mean

    def area(key):
        curve = [mean(error[-key >= np.percentile(-key, 2 * step)]) for step in range(50)] + [0]
        return sum(0.02 * (a + b) / 2 for a, b in pairwise(curve))

    return area(uncertainty) - area(error), mean(error) - area(uncertainty)


@pytest.mark.parametrize('root', [False, True])
def test_areas_equal_those_by_percentile_thresholds(root):
    generator = torch.Generator().manual_seed(0)
    uncertainty = torch.rand(1, 100, 200, generator=generator)
    error = (uncertainty * torch.randn(uncertainty.shape, generator=generator)).square()
    expected = mono_uncertainty_areas(error.flatten(), uncertainty.flatten(), root)
    results = sparsified(error, uncertainty, root=root)
    # A percentile falls between two of 20,000 pixels; here it may go to either side.
    assert results['ause'].item() == pytest.approx(expected[0], abs=2e-4)
    assert results['aurg'].item() == pytest.approx(expected[1], abs=2e-4)


def test_sparsification_averages_a_plain_loop_over_images():
    generator = torch.Generator().manual_seed(1)
    error = torch.rand(2, 10, 10, generator=generator)
    uncertainty = torch.rand(2, 10, 10, generator=generator)
    counted = every((2, 10, 10))
    counted[1, :, ::2] = False  # 100 and 50 pixels: each of 50 steps removes whole ones
    model, oracle = [], []
    for image in range(2):
        e, u = error[image][counted[image]].numpy(), uncertainty[image][counted[image]].numpy()
        for curves, ranked in ((model, e[np.argsort(u)]), (oracle, np.sort(e))):
            curves.append([np.mean(ranked[: len(e) * (50 - k) // 50]) for k in range(50)])
    curve = sparsified(error, uncertainty, counted)['curves']['sparsification']
    # The loop's means are fp32.
    assert curve['model'].tolist() == pytest.approx([*np.mean(model, axis=0), 0], rel=1e-6)
    assert curve['oracle'].tolist() == pytest.approx([*np.mean(oracle, axis=0), 0], rel=1e-6)


def test_uncertainty_that_ranks_as_the_error_has_no_sparsification_error():
    error = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2))
    results = sparsified(error, error.exp())
    assert results['ause'].item() == pytest.approx(0, abs=1e-15)
    assert results['aurg'].item() > 0


def test_flat_uncertainty_is_no_better_than_random_removal():
    error = torch.rand(SHAPE, generator=torch.Generator().manual_seed(3))
    results = sparsified(error, torch.ones(SHAPE))
    curve = results['curves']['sparsification']
    assert curve['model'][:-1].tolist() == pytest.approx(curve['random'][:-1].tolist())
    # The last interval falls to the zero of no pixels: half of 1/50 of the error.
    assert results['aurg'].item() == pytest.approx(0.01 * error.double().mean().item(), rel=1e-6)


def test_areas_of_linear_errors_in_closed_form():
    count = 5000
    error = ((torch.arange(count) + 0.5) / count)[None, None].double()
    # Kept fraction f: the oracle leaves f/2, removing the best first leaves 1 − f/2.
    results = sparsified(error, -error)
    oracle_area = 1 / 4
    reversed_area = 3 / 4 - 0.01  # less the triangle of the last interval, down to zero
    assert results['ause'].item() == pytest.approx(reversed_area - oracle_area, abs=1e-3)
    assert results['aurg'].item() == pytest.approx(1 / 2 - reversed_area, abs=1e-3)


def test_rmse_curve_starts_at_the_rmse_of_the_image():
    depth = 1 + torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(4))
    target = 1 + torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(5))
    metrics = DepthMetrics()
    metrics.update(depth, target, variance=depth)
    curve = metrics.curves()['sparsification']
    assert curve['model'][0] == pytest.approx(metrics.compute()['rmse'], rel=1e-12)
    assert curve['random'] == [curve['model'][0]] * 51
    assert (curve['removed'][0], curve['removed'][-1], curve['oracle'][-1]) == (0, 1, 0)


def test_area_under_the_reported_curves_is_the_reported_area():
    generator = torch.Generator().manual_seed(6)
    error, uncertainty = torch.rand(2, *SHAPE, generator=generator)
    results = sparsified(error, uncertainty, suffix='_x')
    curve = {
        axis: values.numpy() for axis, values in results['curves']['sparsification_x'].items()
    }
    area = trapezoid(curve['model'] - curve['oracle'], curve['removed'])
    assert results['ause_x'].item() == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize('count', [1, 2, 7])
def test_images_of_fewer_pixels_than_intervals_are_exact(count):
    error = torch.rand(1, 1, count, generator=torch.Generator().manual_seed(7))
    results = sparsified(error, error)
    assert results['ause'].item() == 0
    assert results['curves']['sparsification']['model'].isfinite().all()


def risk_coverage(accurate, uncertainty, counted=None):
    metric = RiskCoverage()
    metric.update(accurate, uncertainty, every(accurate.shape) if counted is None else counted)
    return metric.compute()


def test_aurc_averages_a_plain_loop_over_images():
    generator = torch.Generator().manual_seed(8)
    uncertainty = torch.rand(SHAPE, generator=generator)
    accurate = torch.rand(SHAPE, generator=generator) > uncertainty
    counted = torch.rand(SHAPE, generator=generator) < 0.8
    areas = []
    for image in range(2):
        order = np.argsort(uncertainty[image][counted[image]].numpy())
        wrong = ~accurate[image][counted[image]].numpy()[order]
        areas.append(np.mean([np.mean(wrong[: k + 1]) for k in range(len(wrong))]))
    results = risk_coverage(accurate, uncertainty, counted)
    assert results['aurc'].item() == pytest.approx(np.mean(areas), rel=1e-12)


def test_aurc_of_a_perfect_ranking_in_closed_form():
    # Of n pixels the m most uncertain are wrong: risk(k) = (k − (n − m))/k beyond n − m.
    n, m = 10, 3
    uncertainty = torch.arange(n)[None, None].float()
    expected = sum((k - (n - m)) / k for k in range(n - m + 1, n + 1)) / n
    results = risk_coverage(uncertainty < n - m, uncertainty)
    assert results['aurc'].item() == pytest.approx(expected, rel=1e-12)


def test_aurc_of_flat_uncertainty_is_the_error_rate():
    accurate = torch.rand(SHAPE, generator=torch.Generator().manual_seed(9)) < 0.7
    results = risk_coverage(accurate, torch.zeros(SHAPE))
    assert results['aurc'].item() == pytest.approx(1 - accurate.double().mean().item())


def test_risk_at_full_coverage_is_the_error_rate():
    generator = torch.Generator().manual_seed(10)
    accurate = torch.rand(SHAPE, generator=generator) < 0.7
    curve = risk_coverage(accurate, torch.rand(SHAPE, generator=generator))['curves'][
        'risk_coverage'
    ]
    assert curve['coverage'][-1].item() == 1
    assert curve['risk'][-1].item() == pytest.approx(1 - accurate.double().mean().item())
    assert len(curve['risk']) == len(curve['coverage']) == 50


def test_image_without_a_counted_pixel_does_not_join_the_average():
    error = torch.rand(SHAPE, generator=torch.Generator().manual_seed(11))
    counted = every()
    counted[1] = False
    with_empty, alone = sparsified(error, -error, counted), sparsified(error[:1], -error[:1])
    assert with_empty['ause'] == alone['ause']
    assert (
        risk_coverage(error < 0.5, error, counted)['aurc']
        == (risk_coverage(error[:1] < 0.5, error[:1])['aurc'])
    )
