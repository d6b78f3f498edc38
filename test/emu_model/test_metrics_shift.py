import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from emu_model.metrics import ShiftAUROC


def auroc(normal, shifted):
    metric = ShiftAUROC(['fog'])
    metric.update(torch.tensor(normal, dtype=torch.float32), None)
    metric.update(torch.tensor(shifted, dtype=torch.float32), 'fog')
    return metric.compute()['fog'].item()


scores = st.lists(st.integers(0, 5), min_size=1, max_size=20)  # few values: many ties


@given(scores, scores)
def test_equals_the_roc_auc_of_scikit_learn_with_ties(normal, shifted):
    labels = [0] * len(normal) + [1] * len(shifted)
    assert auroc(normal, shifted) == pytest.approx(roc_auc_score(labels, normal + shifted))


@given(scores, scores)
def test_equals_a_plain_loop_over_all_pairs(normal, shifted):
    wins = [(s > n) + 0.5 * (s == n) for s in shifted for n in normal]
    assert auroc(normal, shifted) == pytest.approx(np.mean(wins), rel=1e-12)


def test_is_one_when_every_shifted_frame_is_higher_and_half_when_none_differs():
    assert auroc([0.1, 0.2], [0.3, 0.4, 0.5]) == 1
    assert auroc([0.3, 0.4], [0.1, 0.2]) == 0
    assert auroc([0.3, 0.3], [0.3]) == 0.5


def test_each_shift_is_told_from_the_same_normal_frames_and_all_are_pooled():
    metric = ShiftAUROC(('fog', 'night'))
    for normal in ([1.0, 2.0], [3.0, 4.0]):
        metric.update(torch.tensor(normal), None)
    metric.update(torch.tensor([5.0, 6.0]), 'fog')
    metric.update(torch.tensor([2.5]), 'night')
    results = {name: value.item() for name, value in metric.compute().items()}
    assert results == pytest.approx({'fog': 1, 'night': 0.5, 'all': 10 / 12})


@pytest.mark.parametrize('given_shift', [None, 'fog'])
def test_is_undefined_without_frames_of_either_kind(given_shift):
    metric = ShiftAUROC(['fog'])
    metric.update(torch.ones(3), given_shift)
    assert all(value.isnan() for value in metric.compute().values())


def test_frame_without_a_finite_score_counts_as_the_most_uncertain():
    assert auroc([1.0, 2.0], [float('nan'), float('inf')]) == 1
    assert auroc([1.0, float('nan')], [1.5]) == 0.5


def test_keeps_one_number_for_each_frame():
    metric = ShiftAUROC(['fog'])
    for _ in range(5):
        metric.update(torch.ones(4), 'fog')
    assert sum(kept.numel() for kept in metric.shifted_0) == 20


def test_unknown_shift_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no shift 'snow', only fog, night"):
        ShiftAUROC(['fog', 'night']).update(torch.ones(1), 'snow')


def test_maps_in_place_of_frame_means_are_refused():
    with pytest.raises(ValueError, match='take the mean of each frame'):
        ShiftAUROC(['fog']).update(torch.ones(1, 2, 2), 'fog')


def test_shift_that_is_called_as_the_total_is_refused():
    with pytest.raises(ValueError, match="a shift is called 'all'"):
        ShiftAUROC(['all'])
