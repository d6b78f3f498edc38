"""Weighted losses and cross-view terms against loops over pixels."""

import math

import pytest
import torch

from emu_model import losses
from emu_model.warping import disparity_from_depth
from train.stereo.cross_view import (
    Correspondence,
    CrossViewWeights,
    Views,
    cross_view_loss,
    depth_distance,
    one_hot,
    semantic_distance,
)

ALL = torch.ones(2, 3, 4, dtype=torch.bool)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)

    def draw():
        return torch.rand(2, 3, 4, generator=generator)

    return draw


def test_confidence_weighted_l1_is_that_of_the_paper(maps):
    predicted, target, confidence = maps(), maps(), maps()
    valid = maps() > 0.3
    weighted = total = 0.0
    for pixel in torch.nonzero(valid).tolist():
        b, y, x = pixel
        weighted += (confidence[b, y, x] * (predicted - target).abs()[b, y, x]).item()
        total += confidence[b, y, x].item()
    assert losses.l1(predicted, target, valid, confidence).item() == pytest.approx(
        weighted / total
    )


def test_equal_weights_change_no_loss(maps):
    mean, variance, target = maps(), maps(), maps()
    weight = torch.full_like(mean, 0.3)
    for loss, inputs in (
        (losses.l1, (mean, target)),
        (losses.mse, (mean, target)),
        (losses.huber, (mean, target)),
        (losses.gaussian_nll, (mean, variance, target)),
    ):
        torch.testing.assert_close(loss(*inputs, ALL, weight=weight), loss(*inputs, ALL))


def test_pixels_without_weight_reach_neither_value_nor_gradient(maps):
    predicted, target, weight = maps().requires_grad_(), maps(), maps()
    weight[0] = 0
    with torch.no_grad():
        target[0] = torch.nan
    valid = target.isfinite()
    losses.l1(predicted, target, valid, weight).backward()
    assert not predicted.grad[0].any()
    assert predicted.grad[1].all()
    nothing = losses.l1(predicted, target, valid, torch.zeros_like(weight))
    assert nothing.item() == 0


def test_cross_entropy_with_hard_targets_is_the_usual_one(maps):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, 3, 4, generator=generator)
    classes = torch.randint(0, 5, (2, 3, 4), generator=generator)
    soft = losses.soft_cross_entropy(
        logits.softmax(dim=1), one_hot(classes, 5), torch.ones(2, 3, 4)
    )
    assert soft.item() == pytest.approx(losses.cross_entropy(logits, classes).item(), rel=1e-5)


def test_cross_entropy_with_soft_targets_is_least_where_both_agree(maps):
    generator = torch.Generator().manual_seed(2)
    target = torch.randn(2, 5, 3, 4, generator=generator).softmax(dim=1)
    weight = maps()
    entropy = -(target * target.log()).sum(dim=1)
    least = losses.soft_cross_entropy(target, target, weight)
    assert least.item() == pytest.approx(((weight * entropy).sum() / weight.sum()).item())
    other = target.roll(1, dims=1)
    assert losses.soft_cross_entropy(other, target, weight) > least


def test_unlabelled_classes_are_no_class():
    classes = torch.tensor([[[0, 255, 2]]])
    assert one_hot(classes, 3)[0, :, 0].T.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.fixture
def shifted_pair():
    """Depth of both views of a wall that is 2 px apart, and predictions that differ from it.

    Returns:
        predictions, labels, labelled, disparities and confidences as Views (1, 1, 1, 6).
    """
    generator = torch.Generator().manual_seed(3)

    def draw():
        return torch.rand(1, 1, 1, 6, generator=generator)

    disparity = torch.full((1, 1, 1, 6), 2.0)
    labelled = torch.ones(1, 1, 1, 6)
    labelled[0, 0, 0, 3] = 0
    return (
        Views(draw(), draw()),
        Views(draw(), draw()),
        Views(labelled, torch.ones(1, 1, 1, 6)),
        Views(disparity, disparity),
        Views(draw(), draw()),
    )


def row(values):
    return values[0, 0, 0].tolist()


def weighted_distance(pairs):
    """Σ c·|a − b| / Σ c over (c, a, b)."""
    return sum(c * abs(a - b) for c, a, b in pairs) / sum(c for c, _, _ in pairs)


def test_cross_view_terms_are_the_papers_sums(shifted_pair):
    predictions, labels, labelled, disparities, confidences = shifted_pair
    found = cross_view_loss(
        depth_distance,
        predictions,
        labels,
        labelled,
        Correspondence(disparities, confidences),
        CrossViewWeights(both=0.5, left=1.0, right=3.0),
    )
    d_l, d_r = row(predictions.left), row(predictions.right)
    p_l, p_r = row(labels.left), row(labels.right)
    c_l, c_r = row(confidences.left), row(confidences.right)
    # Column x of the left view is column x − 2 of the right one; left column 3 has no label.
    pairs = [(x, x - 2) for x in range(2, 6)]
    l_lr = weighted_distance([(c_l[x], d_l[x], d_r[y]) for x, y in pairs])
    l_lr += weighted_distance([(c_r[y], d_r[y], d_l[x]) for x, y in pairs])
    l_l = weighted_distance([(c_l[x], d_r[y], p_l[x]) for x, y in pairs if x != 3])
    l_l += weighted_distance([(c_l[x], d_l[x], p_r[y]) for x, y in pairs])
    l_r = weighted_distance([(c_r[y], d_l[x], p_r[y]) for x, y in pairs])
    l_r += weighted_distance([(c_r[y], d_r[y], p_l[x]) for x, y in pairs if x != 3])
    assert found.item() == pytest.approx(0.5 * l_lr + 1.0 * l_l + 3.0 * l_r, rel=1e-5)


def test_views_that_agree_with_each_other_and_their_labels_cost_nothing():
    depth = torch.full((1, 1, 2, 8), 4.0)
    disparity = disparity_from_depth(depth[:, 0], torch.tensor([12.0]), torch.tensor([1.0]))
    both = Views(depth, depth)
    correspondence = Correspondence(
        Views(disparity[:, None], disparity[:, None]), Views(torch.ones_like(depth), depth / 4)
    )
    loss = cross_view_loss(
        depth_distance, both, both, Views(depth / 4, depth / 4), correspondence,
        CrossViewWeights(1.0, 1.0, 1.0),
    )  # fmt: skip
    assert loss.item() == 0


def test_class_probabilities_are_compared_by_their_cross_entropy():
    probabilities = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    labels = one_hot(torch.zeros(1, 1, 4), 3)
    none = torch.zeros(1, 1, 1, 4)
    one = torch.ones(1, 1, 1, 4)
    loss = cross_view_loss(
        semantic_distance,
        Views(probabilities, probabilities),
        Views(labels, labels),
        Views(one, one),
        Correspondence(Views(none, none), Views(one, one)),
        CrossViewWeights(both=0.5, left=1.5, right=1.5),
    )
    entropy = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    expected = 0.5 * 2 * entropy + 2 * 1.5 * 2 * -math.log(0.7)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
