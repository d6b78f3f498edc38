import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torchmetrics.classification import MulticlassJaccardIndex

from emu_model.metrics import CalibrationError, ProbabilityScores, SemanticMetrics

B, K, H, W = 3, 6, 9, 11


@pytest.fixture(scope='module')
def batch():
    """A prediction that is better than chance and a target with unlabelled pixels."""
    generator = torch.Generator().manual_seed(0)
    probabilities = (2 * torch.randn(B, K, H, W, generator=generator)).softmax(1)
    confidence, classes = probabilities.max(1)
    random = torch.randint(0, K, (B, H, W), generator=generator)
    right = torch.rand(B, H, W, generator=generator) < confidence
    target = torch.where(right, classes, random)
    target[:, :2] = 255
    entropy = torch.special.entr(probabilities).sum(1)
    return {
        'classes': classes.to(torch.uint8),
        'target': target.to(torch.uint8),
        'entropy': entropy,
        'confidence': confidence,
        'probabilities': probabilities,
    }


def computed(batch, all_pixels=False, num_classes=K):
    metrics = SemanticMetrics(num_classes, all_pixels=all_pixels)
    metrics.update(**batch)
    return metrics.compute()


def counted_pixels(batch, all_pixels):
    """(image, row, column) and whether it is accurate, for the pixels that are counted."""
    classes, target = batch['classes'].numpy(), batch['target'].numpy()
    for index in np.ndindex(classes.shape):
        if all_pixels or target[index] != 255:
            yield index, bool(classes[index] == target[index])


def test_miou_equals_a_plain_loop_over_the_pixels(batch):
    both, predicted, labelled = np.zeros(K), np.zeros(K), np.zeros(K)
    for index, accurate in counted_pixels(batch, all_pixels=False):
        predicted[batch['classes'][index]] += 1
        labelled[batch['target'][index]] += 1
        both[batch['target'][index]] += accurate
    iou = both / (predicted + labelled - both)
    results = computed(batch)
    assert results['class_iou'] == pytest.approx(list(iou), rel=1e-12)
    assert results['miou'] == pytest.approx(iou.mean(), rel=1e-12)


def test_miou_equals_the_jaccard_index_of_torchmetrics(batch):
    oracle = MulticlassJaccardIndex(K, ignore_index=255)
    expected = oracle(batch['classes'].long(), batch['target'].long()).item()
    assert computed(batch)['miou'] == pytest.approx(expected, rel=1e-6)  # the oracle is fp32


def test_miou_pools_the_confusion_of_all_images_before_dividing():
    classes = torch.tensor([[[0, 0, 0, 1]], [[1, 1, 1, 1]]])
    target = torch.tensor([[[0, 0, 0, 0]], [[1, 1, 1, 1]]])
    results = computed({'classes': classes, 'target': target}, num_classes=2)
    assert results['class_iou'] == [3 / 4, 4 / 5]
    assert results['miou'] == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_class_that_is_nowhere_stays_out_of_the_mean_and_has_no_iou():
    target = torch.tensor([[[0, 0, 2, 2]]])
    results = computed({'classes': target, 'target': target}, num_classes=4)
    assert results['class_iou'] == [1, None, 1, None]
    assert results['miou'] == 1


def test_class_that_is_only_predicted_has_an_iou_of_zero():
    results = computed(
        {'classes': torch.tensor([[[0, 1]]]), 'target': torch.tensor([[[0, 0]]])}, num_classes=2
    )
    assert results['class_iou'] == [0.5, 0]


@pytest.mark.parametrize('all_pixels', [False, True])
@pytest.mark.parametrize(('key', 'bins'), [('ece', 15), ('ece_10_bins', 10)])
def test_calibration_error_equals_a_plain_loop_over_the_pixels(batch, key, bins, all_pixels):
    inside = [[] for _ in range(bins)]
    for index, accurate in counted_pixels(batch, all_pixels):
        confidence = float(batch['confidence'][index])
        inside[math.ceil(confidence * bins) - 1].append((confidence, accurate))
    total = sum(len(members) for members in inside)
    expected = sum(abs(sum(c - a for c, a in members)) for members in inside) / total
    assert computed(batch, all_pixels)[key] == pytest.approx(expected, rel=1e-12)


def test_calibration_error_of_constant_confidence_is_its_distance_to_the_accuracy():
    metric = CalibrationError()
    accurate = torch.tensor([[[True, True, True, False]]])
    metric.update(torch.full((1, 1, 4), 0.9), accurate, torch.ones_like(accurate))
    assert metric.compute()['ece'].item() == pytest.approx(0.15)


def test_confidence_on_a_bin_edge_belongs_to_the_bin_below():
    metric = CalibrationError(bins=4)
    confidence = torch.tensor([[[0.0, 0.25, 0.5, 0.75, 1.0]]])
    every = torch.ones(1, 1, 5, dtype=torch.bool)
    metric.update(confidence, every, every)
    assert metric.compute()['curves']['reliability_4']['pixels'].tolist() == [2, 1, 1, 1]


def test_reliability_curve_has_the_error_as_its_weighted_gap(batch):
    metrics = SemanticMetrics(K)
    metrics.update(**batch)
    curve = metrics.curves()['reliability_15']
    rows = list(zip(curve['confidence'], curve['accuracy'], curve['pixels']))
    gaps = [n * abs(c - a) for c, a, n in rows if n]
    assert all(c is None and a is None for c, a, n in rows if not n)
    assert sum(gaps) / sum(curve['pixels']) == pytest.approx(metrics.compute()['ece'])


@pytest.mark.parametrize('all_pixels', [False, True])
def test_accuracy_versus_uncertainty_equals_a_plain_loop_over_the_pixels(batch, all_pixels):
    pixels = list(counted_pixels(batch, all_pixels))
    entropy = batch['entropy'].double().numpy()
    threshold = [np.mean([entropy[i] for i, _ in pixels if i[0] == image]) for image in range(B)]
    n = {(accurate, certain): 0 for accurate in (0, 1) for certain in (0, 1)}
    for index, accurate in pixels:
        n[accurate, int(entropy[index] <= threshold[index[0]])] += 1
    results = computed(batch, all_pixels)
    assert results['p_accurate_certain'] == n[1, 1] / (n[1, 1] + n[0, 1])
    assert results['p_uncertain_inaccurate'] == n[0, 0] / (n[0, 1] + n[0, 0])
    assert results['pavpu'] == (n[1, 1] + n[0, 0]) / len(pixels)
    assert results['pixel_accuracy'] == (n[1, 1] + n[1, 0]) / len(pixels)
    assert results['pixels'] == len(pixels)


def test_accuracy_versus_uncertainty_in_closed_form():
    results = computed(
        {
            'classes': torch.tensor([[[0, 0, 0, 0], [0, 0, 0, 0]]]),
            'target': torch.tensor([[[0, 0, 0, 1], [0, 1, 1, 1]]]),
            'entropy': torch.tensor([[[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]]),
        },
        num_classes=2,
    )
    assert results['p_accurate_certain'] == 3 / 4
    assert results['p_uncertain_inaccurate'] == 3 / 4
    assert results['pavpu'] == 6 / 8


def test_threshold_is_that_of_each_image_not_of_the_batch():
    classes = torch.zeros(2, 1, 2, dtype=torch.uint8)
    entropy = torch.tensor([[[0.0, 1.0]], [[10.0, 11.0]]])
    results = computed({'classes': classes, 'target': classes, 'entropy': entropy})
    assert results['pavpu'] == 0.5


@pytest.mark.parametrize('value', [0.0, 0.1, 1 / 3])
def test_flat_uncertainty_is_certain_everywhere(value):
    classes = torch.zeros(1, 101, 103, dtype=torch.uint8)
    results = computed({'classes': classes, 'target': classes, 'entropy': classes + value})
    assert results['p_accurate_certain'] == 1
    assert results['pavpu'] == 1


def test_probability_scores_equal_a_plain_loop_over_the_pixels(batch):
    brier, nll = [], []
    for index, _ in counted_pixels(batch, all_pixels=False):
        image, row, column = index
        p = batch['probabilities'][image, :, row, column].double().numpy()
        one_hot = np.eye(K)[batch['target'][index]]
        brier.append(np.sum((p - one_hot) ** 2))
        nll.append(-np.log(p @ one_hot))
    results = computed(batch)
    assert results['brier'] == pytest.approx(np.mean(brier), rel=1e-12)
    assert results['nll'] == pytest.approx(np.mean(nll), rel=1e-12)


def test_probability_scores_equal_those_of_scikit_learn(batch):
    labelled = batch['target'] != 255
    probabilities = batch['probabilities'].movedim(1, -1)[labelled].double()
    probabilities = (probabilities / probabilities.sum(1, keepdim=True)).numpy()
    target = batch['target'][labelled].numpy()
    results = computed(batch)
    brier = brier_score_loss(target, probabilities, labels=range(K), scale_by_half=False)
    nll = log_loss(target, probabilities, labels=range(K))
    # The softmax is fp32, so its classes sum to 1 within 1e-6 only.
    assert results['brier'] == pytest.approx(brier, rel=1e-5)
    assert results['nll'] == pytest.approx(nll, rel=1e-5)


def test_probability_scores_of_a_uniform_softmax_in_closed_form():
    metric = ProbabilityScores()
    target = torch.randint(0, K, (1, 4, 4))
    metric.update(torch.full((1, K, 4, 4), 1 / K), target, torch.ones(1, 4, 4, dtype=torch.bool))
    results = metric.compute()
    assert results['brier'].item() == pytest.approx(1 - 1 / K)
    assert results['nll'].item() == pytest.approx(math.log(K))


def test_likelihood_of_a_class_that_was_ruled_out_is_finite():
    metric = ProbabilityScores()
    probabilities = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    metric.update(probabilities, torch.ones(1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool))
    results = metric.compute()
    assert results['brier'].item() == 2
    assert results['nll'].item() == pytest.approx(23 * math.log(2))  # fp32's eps is 2^-23


class LargestAllocation(TorchDispatchMode):
    """Bytes of the largest tensor that an operation makes, views aside."""

    nbytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        known = {x.untyped_storage().data_ptr() for x in tree_leaves(args) if torch.is_tensor(x)}
        for made in tree_leaves(result):
            if torch.is_tensor(made) and made.untyped_storage().data_ptr() not in known:
                self.nbytes = max(self.nbytes, made.nbytes)
        return result


def test_no_second_map_of_all_classes_is_made():
    probabilities = torch.rand(1, 40, 32, 32).softmax(1)
    confidence, classes = probabilities.max(1)
    metrics = SemanticMetrics(40)
    with LargestAllocation() as largest:
        metrics.update(
            classes,
            classes,
            entropy=confidence,
            confidence=confidence,
            probabilities=probabilities,
        )
    # A few float64 or int64 maps of one channel at a time, against 40 channels of fp32.
    assert 0 < largest.nbytes < 3 * 8 * 32 * 32


def test_all_pixels_change_only_what_needs_no_label(batch):
    labelled, every = computed(batch), computed(batch, all_pixels=True)
    same = {'miou', 'class_iou', 'brier', 'nll', 'nonfinite_pixels'}
    assert {key for key in labelled if labelled[key] == every[key]} == same
    assert every['pixels'] == B * H * W


def test_not_finite_predictions_are_left_out_and_counted(batch):
    damaged = {name: value.clone() for name, value in batch.items()}
    damaged['entropy'][0, 4, 4] = torch.nan
    damaged['confidence'][1, 4, 4] = torch.inf * 0
    damaged['probabilities'][2, 1, 4, 4] = torch.nan
    damaged['entropy'][2, 5, 5] = torch.inf
    damaged['entropy'][2, 0, 0] = torch.nan  # not labelled: not missed
    without = {name: value.clone() for name, value in batch.items()}
    for index in [(0, 4, 4), (1, 4, 4), (2, 4, 4), (2, 5, 5)]:
        assert without['target'][index] != 255
        without['target'][index] = 255
    results, expected = computed(damaged), computed(without)
    assert results.pop('nonfinite_pixels') == 4
    assert expected.pop('nonfinite_pixels') == 0
    assert results == expected


@pytest.mark.parametrize('all_pixels', [False, True])
def test_everything_is_none_before_the_first_pixel(all_pixels):
    results = SemanticMetrics(2, all_pixels=all_pixels).compute()
    assert results.pop('pixels') == results.pop('nonfinite_pixels') == 0
    assert results.pop('class_iou') == [None, None]
    assert set(results.values()) == {None}


def test_image_without_a_label_adds_nothing(batch):
    metrics = SemanticMetrics(K)
    metrics.update(**batch)
    before = metrics.compute()
    metrics.update(**{**batch, 'target': torch.full_like(batch['target'], 255)})
    assert metrics.compute() == before


def test_figures_of_inputs_that_are_not_given_are_none(batch):
    results = computed({'classes': batch['classes'], 'target': batch['target']})
    assert {key for key, value in results.items() if value is not None} == {
        'miou', 'class_iou', 'pixel_accuracy', 'pixels', 'nonfinite_pixels',
    }  # fmt: skip


def test_a_single_class_is_always_right():
    target = torch.zeros(1, 2, 2, dtype=torch.uint8)
    results = computed(
        {
            'classes': target,
            'target': target,
            'entropy': torch.zeros(1, 2, 2),
            'confidence': torch.ones(1, 2, 2),
            'probabilities': torch.ones(1, 1, 2, 2),
        },
        num_classes=1,
    )
    assert results['miou'] == results['pixel_accuracy'] == results['p_accurate_certain'] == 1
    assert results['ece'] == results['brier'] == results['nll'] == results['aurc'] == 0
    assert results['p_uncertain_inaccurate'] is None


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'classes': torch.full((B, H, W), K)}, f'predicted class id {K} is not among the {K}'),
        ({'target': torch.full((B, H, W), -1)}, 'labelled class id -1 is not among'),
        ({'target': torch.full((B, H, W), 254)}, 'labelled class id 254 is not among'),
        ({'entropy': torch.zeros(B, H, 1)}, 'maps differ in shape'),
        ({'confidence': torch.full((B, H, W), 7.0)}, 'pass the softmax, not the logits'),
        ({'probabilities': torch.full((B, K, H, W), -0.5)}, 'pass the softmax, not the logits'),
        ({'probabilities': torch.zeros(B, K + 1, H, W)}, 'probabilities have shape'),
    ],
)
def test_wrong_input_is_refused_before_anything_is_counted(batch, changes, message):
    metrics = SemanticMetrics(K)
    with pytest.raises(ValueError, match=message):
        metrics.update(**{**batch, **changes})
    assert metrics.compute()['pixels'] == 0
