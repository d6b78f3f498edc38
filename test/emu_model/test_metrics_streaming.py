import gc
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from metric_batches import GROUPS, assert_same_figures

from emu_model.metrics import DepthMetrics, PixelMeans, SemanticMetrics, bootstrap


@pytest.fixture(params=GROUPS)
def group_and_batch(request):
    create, batch = GROUPS[request.param]
    return create(), batch


def test_figures_do_not_depend_on_how_images_are_batched(group_and_batch):
    group, make = group_and_batch
    batch = make(6, seed=0)
    group.update(**batch)
    together = group.compute()
    group.reset()
    for start, end in ((0, 1), (1, 4), (4, 6)):
        group.update(**{name: value[start:end] for name, value in batch.items()})
    assert_same_figures(group.compute(), together)


def test_group_forgets_everything_on_reset(group_and_batch):
    group, make = group_and_batch
    group.update(**make(1, seed=1))
    group.reset()
    group.update(**make(2, seed=2))
    results = group.compute()
    group.reset()
    group.update(**make(2, seed=2))
    assert group.compute() == results


def test_results_and_curves_are_json_without_nan(group_and_batch):
    group, make = group_and_batch
    json.dumps([group.compute(), group.curves()], allow_nan=False)
    group.update(**make(2, seed=0))
    json.dumps([group.compute(), group.curves()], allow_nan=False)


def test_sums_of_shards_add_up_to_the_whole(group_and_batch):
    group, make = group_and_batch
    shards = []
    for seed in range(3):
        group.reset()
        group.update(**make(2, seed))
        shards.append(group.sums())
    group.reset()
    for sums in shards:
        group.compute()  # computing in between must not freeze the result
        group.add_sums(sums)
    merged = group.compute()
    group.reset()
    for seed in range(3):
        group.update(**make(2, seed))
    assert_same_figures(merged, group.compute())


def test_sums_are_a_copy(group_and_batch):
    group, make = group_and_batch
    group.update(**make(1, seed=0))
    sums, before = group.sums(), {k: v.clone() for k, v in group.sums().items()}
    group.update(**make(1, seed=1))
    assert all(torch.equal(sums[name], before[name]) for name in sums)


def test_sums_of_another_group_are_refused():
    with pytest.raises(ValueError, match='are not those of DepthMetrics'):
        DepthMetrics().add_sums(SemanticMetrics(3).sums())
    with pytest.raises(ValueError, match='are not those of SemanticMetrics'):
        SemanticMetrics(4).add_sums(SemanticMetrics(3).sums())


def test_counts_and_sums_are_exact_after_a_billion_pixels(group_and_batch):
    group, make = group_and_batch
    group.update(**make(1, seed=0))
    one, figures = group.sums(), group.compute()
    times = 2**24  # of 120 pixels: two billion, past what int32 and float32 can count
    group.reset()
    group.add_sums({name: value * times for name, value in one.items()})
    assert_same_figures({**group.compute(), 'pixels': 0}, {**figures, 'pixels': 0})
    group.add_sums(one)
    for name, value in group.sums().items():
        for total, addend in zip(value.flatten().tolist(), one[name].flatten().tolist()):
            exact = Fraction(addend) * (times + 1)
            rounding = 0 if value.dtype == torch.int64 else exact / 2**53
            assert abs(Fraction(total) - exact) <= abs(rounding)


def test_a_pixel_more_is_seen_after_a_billion():
    metric = PixelMeans('mean')
    metric.total += 10.0**9
    metric.pixels += 10**9
    one = torch.ones(1, 1, 1)
    metric.update([3 * one], one.bool())
    assert metric.pixels.item() == 10**9 + 1
    assert metric.total.item() == 10**9 + 3


def test_fp32_values_are_summed_in_float64():
    metric = PixelMeans('mean')
    values = torch.tensor([[[2.0**24, 1.0]]])  # their sum is no fp32 number
    metric.update([values], torch.ones_like(values, dtype=torch.bool))
    assert metric.total.item() == 2**24 + 1


def live_tensor_bytes():
    gc.collect()
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in gc.get_objects()
        if type(tensor) is torch.Tensor
    }
    return sum(storages.values())


def test_memory_does_not_grow_with_updates(group_and_batch):
    group, make = group_and_batch
    group.update(**make(2, seed=0))
    before, state = live_tensor_bytes(), {k: v.shape for k, v in group.sums().items()}
    for seed in range(5):
        group.update(**make(2, seed=seed))
    assert live_tensor_bytes() == before
    assert {k: v.shape for k, v in group.sums().items()} == state
    assert sum(v.nbytes for v in group.sums().values()) < 1 << 15


def test_numpy_maps_give_the_same_figures(group_and_batch):
    group, make = group_and_batch
    batch = make(2, seed=0)
    group.update(**batch)
    expected = group.compute()
    group.reset()
    group.update(**{name: torch.from_numpy(value.numpy()) for name, value in batch.items()})
    assert group.compute() == expected


def test_half_precision_predictions_are_summed_in_float64(group_and_batch):
    group, make = group_and_batch
    batch = {
        name: value.half() if value.is_floating_point() else value
        for name, value in make(2, seed=0).items()
    }
    group.update(**batch)
    in_half = group.compute()
    group.reset()
    group.update(
        **{
            name: value.float() if value.is_floating_point() else value
            for name, value in batch.items()
        }
    )
    assert_same_figures(in_half, group.compute())


def frame_sums(group, make, count):
    frames = []
    for seed in range(count):
        group.reset()
        group.update(**make(1, seed))
        frames.append(group.sums())
    return frames


def test_bootstrap_equals_evaluating_the_drawn_frames_again(group_and_batch):
    group, make = group_and_batch
    frames = frame_sums(group, make, 4)
    figures = bootstrap(group, frames, resamples=3, seed=7)
    draws = np.random.default_rng(7).multinomial(4, [0.25] * 4, 3)
    for index, times in enumerate(draws):
        group.reset()
        for seed, repeats in enumerate(times):
            for _ in range(repeats):
                group.update(**make(1, seed))
        single = {k: v for k, v in group.compute().items() if not isinstance(v, list)}
        assert_same_figures({key: values[index] for key, values in figures.items()}, single)


def test_bootstrap_spread_of_a_mean_is_its_standard_error():
    group, frames = DepthMetrics(), []
    errors = np.random.default_rng(0).uniform(0.1, 1, 60)
    for error in errors:
        group.reset()
        group.update(torch.full((1, 1, 1), 1 + error), torch.ones(1, 1, 1))
        frames.append(group.sums())
    means = bootstrap(group, frames, resamples=1000)['abs_rel']
    # The spread of 1000 draws is itself known within 1/sqrt(2000), so 10 % is four sigma.
    assert means.std() == pytest.approx(errors.std() / np.sqrt(60), rel=0.1)
    assert means.mean() == pytest.approx(errors.mean(), abs=5 * means.std() / np.sqrt(1000))


def test_bootstrap_leaves_the_group_as_it_was(group_and_batch):
    group, make = group_and_batch
    frames = frame_sums(group, make, 2)
    before = group.compute()
    bootstrap(group, frames, resamples=2)
    assert group.compute() == before


def test_bootstrap_without_a_frame_is_refused():
    with pytest.raises(ValueError, match='0 frames to resample'):
        bootstrap(DepthMetrics(), [])
