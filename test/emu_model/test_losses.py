import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import root_mean_squared_log_error

from emu_model.losses import (
    RMSLE_EPSILON,
    VARIANCE_FLOOR,
    cross_entropy,
    gaussian_nll,
    huber,
    kl_divergence,
    l1,
    mse,
    offset_l1,
    rmsle_variance,
)

B, K, H, W = 2, 5, 6, 7


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def logits(generator):
    return torch.randn(B, K, H, W, generator=generator, dtype=torch.float64)


@pytest.fixture
def classes(generator):
    classes = torch.randint(0, K, (B, H, W), generator=generator, dtype=torch.uint8)
    classes[0, :2] = 255
    return classes


@pytest.fixture
def depths(generator):
    """Mean, variance, target and valid; the target is NaN where it is not valid."""
    mean, variance, target = 0.1 + 5 * torch.rand(
        3, B, H, W, generator=generator, dtype=torch.float64
    )
    valid = torch.rand(B, H, W, generator=generator) < 0.7
    return mean, variance, torch.where(valid, target, torch.nan), valid


def pixels(mask):
    return [tuple(index) for index in np.argwhere(mask.numpy())]


def test_cross_entropy_equals_a_plain_loop_over_labelled_pixels(logits, classes):
    terms = []
    for b, y, x in pixels(classes != 255):
        scores = logits[b, :, y, x].numpy()
        terms.append(-scores[classes[b, y, x]] + np.log(np.sum(np.exp(scores))))
    assert cross_entropy(logits, classes).item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes(classes):
    loss = cross_entropy(torch.full((B, K, H, W), 3.0), classes)
    assert loss.item() == pytest.approx(math.log(K), rel=1e-6)  # fp32


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
def test_cross_entropy_takes_any_integer_type(logits, classes, dtype):
    assert cross_entropy(logits, classes.to(dtype)) == cross_entropy(logits, classes)


def test_gaussian_nll_equals_a_plain_loop_over_valid_pixels(depths):
    mean, variance, target, valid = depths
    terms = [
        0.5 * ((target[p] - mean[p]) ** 2 / variance[p] + math.log(variance[p]))
        for p in pixels(valid)
    ]
    assert gaussian_nll(*depths).item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_gaussian_nll_equals_the_one_of_torch(depths):
    mean, variance, target, valid = depths
    expected = F.gaussian_nll_loss(mean[valid], target[valid], variance[valid])
    assert gaussian_nll(*depths).item() == pytest.approx(expected.item(), rel=1e-12)


def test_gaussian_nll_is_least_where_the_variance_is_the_squared_error():
    error = torch.tensor([[[0.5, 2.0]]], dtype=torch.float64)
    variance = error.square().requires_grad_()
    valid = torch.ones(1, 1, 2, dtype=torch.bool)
    loss = gaussian_nll(error, variance, torch.zeros_like(error), valid)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 + math.log(0.5) / 2 + math.log(2.0) / 2)
    assert variance.grad.abs().max() < 1e-15


def test_gaussian_nll_floors_the_variance_and_lets_it_grow_again():
    mean, target = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    valid = torch.ones(1, 1, 1, dtype=torch.bool)
    collapsed = torch.zeros(1, 1, 1, requires_grad=True)
    loss = gaussian_nll(mean, collapsed, target, valid)
    loss.backward()
    s = VARIANCE_FLOOR
    assert loss.item() == pytest.approx(0.5 * (1 / s + math.log(s)), rel=1e-6)
    assert collapsed.grad.item() == pytest.approx(0.5 * (1 / s - 1 / s**2), rel=1e-6)


def test_mse_equals_a_plain_loop_over_valid_pixels(depths):
    mean, _, target, valid = depths
    expected = np.mean([(mean[p] - target[p]) ** 2 for p in pixels(valid)])
    assert mse(mean, target, valid).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('delta', [0.5, 1.0, 3.0])
def test_huber_equals_a_plain_loop_over_valid_pixels(depths, delta):
    mean, _, target, valid = depths
    terms = []
    for p in pixels(valid):
        r = abs(float(mean[p] - target[p]))
        terms.append(0.5 * r**2 if r <= delta else delta * (r - 0.5 * delta))
    loss = huber(mean, target, valid, delta)
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_huber_turns_into_a_line_at_one_metre():
    valid = torch.ones(1, 1, 1, dtype=torch.bool)
    far = huber(torch.full((1, 1, 1), 4.0), torch.zeros(1, 1, 1), valid)
    assert far.item() == pytest.approx(3.5)


def test_kl_divergence_equals_the_one_of_torch_distributions(logits, generator):
    teacher = torch.randn(B, K, H, W, generator=generator, dtype=torch.float64).softmax(1)
    not_padding = torch.rand(B, H, W, generator=generator) < 0.8
    q = torch.distributions.Categorical(probs=teacher.movedim(1, -1))
    p = torch.distributions.Categorical(logits=logits.movedim(1, -1))
    expected = torch.distributions.kl_divergence(q, p)[not_padding].mean()
    loss = kl_divergence(teacher, logits, not_padding)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_kl_divergence_of_equal_distributions_is_zero_and_flat(logits):
    student = logits.clone().requires_grad_()
    loss = kl_divergence(logits.softmax(1), student, torch.ones(B, H, W, dtype=torch.bool))
    loss.backward()
    assert abs(loss.item()) < 1e-15
    assert student.grad.abs().max() < 1e-15


def test_kl_divergence_from_a_certain_teacher_is_the_cross_entropy(logits, classes):
    labelled = classes != 255
    one_hot = F.one_hot(torch.where(labelled, classes, 0).long(), K).movedim(-1, 1).double()
    loss = kl_divergence(one_hot, logits, labelled)
    assert loss.item() == pytest.approx(cross_entropy(logits, classes).item(), rel=1e-12)


def test_rmsle_equals_the_one_of_scikit_learn(depths, generator):
    student = depths[1]
    teacher = 3 * torch.rand(B, H, W, generator=generator, dtype=torch.float64)
    not_padding = depths[3]
    expected = root_mean_squared_log_error(teacher[not_padding], student[not_padding])
    loss = rmsle_variance(student, teacher, not_padding)
    assert loss.item() == pytest.approx(math.hypot(expected, RMSLE_EPSILON**0.5), rel=1e-12)


def test_rmsle_has_a_gradient_where_student_and_teacher_agree():
    variance = torch.ones(1, 2, 2, requires_grad=True)
    loss = rmsle_variance(variance, torch.ones(1, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == pytest.approx(RMSLE_EPSILON**0.5)
    assert torch.equal(variance.grad, torch.zeros(1, 2, 2))


def every_loss(valid, dtype=torch.float32):
    """Each loss as a function of the prediction, on the same pixels; and that prediction."""
    generator = torch.Generator().manual_seed(1)
    shape = valid.shape
    target = torch.where(valid, 3 * torch.rand(shape, generator=generator), torch.nan).to(dtype)
    variance = (0.1 + torch.rand(shape, generator=generator)).to(dtype)
    classes = torch.where(valid, 2, 255)
    teacher = torch.randn(shape[0], K, *shape[1:], generator=generator).softmax(1).to(dtype)
    depth = (0.1 + 3 * torch.rand(shape, generator=generator)).to(dtype).requires_grad_()
    scores = torch.randn(teacher.shape, generator=generator).to(dtype).requires_grad_()
    return {
        'cross_entropy': (lambda x: cross_entropy(x, classes), scores),
        'gaussian_nll': (lambda x: gaussian_nll(x, variance, target, valid), depth),
        'gaussian_nll_variance': (lambda x: gaussian_nll(variance, x, target, valid), depth),
        'mse': (lambda x: mse(x, target, valid), depth),
        'huber': (lambda x: huber(x, target, valid), depth),
        'kl_divergence': (lambda x: kl_divergence(teacher, x, valid), scores),
        'rmsle_variance': (lambda x: rmsle_variance(x, variance, valid), depth),
    }


LOSSES = list(every_loss(torch.ones(1, 1, 1, dtype=torch.bool)))


@pytest.mark.parametrize('name', LOSSES)
def test_is_zero_with_zero_gradient_when_no_pixel_counts(name):
    loss, prediction = every_loss(torch.zeros(B, H, W, dtype=torch.bool))[name]
    value = loss(prediction)
    value.backward()
    assert value.item() == 0
    assert torch.equal(prediction.grad, torch.zeros_like(prediction))


@pytest.mark.parametrize('name', LOSSES)
def test_other_pixels_have_no_part_in_value_and_gradient(name):
    valid = torch.rand(B, H, W, generator=torch.Generator().manual_seed(2)) < 0.5
    loss, prediction = every_loss(valid)[name]
    value = loss(prediction)
    (gradient,) = torch.autograd.grad(value, prediction)
    elsewhere = ~(valid if prediction.ndim == 3 else valid[:, None].expand_as(prediction))
    assert gradient.isfinite().all()
    assert torch.equal(gradient[elsewhere], torch.zeros_like(gradient[elsewhere]))
    assert (gradient[~elsewhere] != 0).any()
    assert torch.equal(loss(torch.where(elsewhere, prediction + 1, prediction)), value)


@pytest.mark.parametrize('name', LOSSES)
def test_gradient_equals_finite_differences(name):
    valid = torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(3)) < 0.7
    loss, prediction = every_loss(valid, torch.float64)[name]
    assert torch.autograd.gradcheck(loss, prediction)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_is_computed_in_fp32_under_autocast(name, dtype):
    valid = torch.ones(B, H, W, dtype=torch.bool)
    loss, prediction = every_loss(valid, dtype)[name]
    with torch.autocast('cpu', dtype):
        value = loss(prediction)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(prediction.float()), rtol=0, atol=0)


def test_square_of_a_half_precision_residual_does_not_overflow():
    valid = torch.ones(1, 1, 1, dtype=torch.bool)
    loss = mse(torch.full((1, 1, 1), 300.0).half(), torch.zeros(1, 1, 1).half(), valid)
    assert loss.item() == 300.0**2  # the largest fp16 is 65504


@pytest.mark.parametrize(
    'call',
    [
        lambda m, t, v: gaussian_nll(m, t, t[:, None], v),
        lambda m, t, v: mse(m[:, None], t, v),
        lambda m, t, v: huber(m, t, v[:1]),
        lambda m, t, v: rmsle_variance(m, t[..., :1], v),
        lambda m, t, v: cross_entropy(m[:, None], torch.zeros(B, H, 1, dtype=torch.long)),
        lambda m, t, v: kl_divergence(m[:, None], torch.zeros(B, K, H, W), v),
        lambda m, t, v: kl_divergence(m[:, None], m[:, None], v[:, :1]),
    ],
)
def test_shapes_that_would_broadcast_are_refused(call):
    maps = torch.ones(B, H, W), torch.ones(B, H, W), torch.ones(B, H, W, dtype=torch.bool)
    with pytest.raises(ValueError, match='maps differ in shape'):
        call(*maps)


def test_mask_that_is_not_bool_is_refused():
    ones = torch.ones(B, H, W)
    with pytest.raises(ValueError, match=r'valid is torch.uint8, expected torch.bool'):
        mse(ones, ones, ones.to(torch.uint8))


def test_l1_equals_a_plain_loop_over_valid_pixels(depths):
    mean, _, target, valid = depths
    terms = [abs(mean[i].item() - target[i].item()) for i in pixels(valid)]
    assert l1(mean, target, valid).item() == pytest.approx(np.mean(terms), rel=1e-12)
    predicted = mean.clone().requires_grad_()
    l1(predicted, target, valid).backward()
    sign = torch.where(valid, (mean - target).sign(), 0)
    torch.testing.assert_close(predicted.grad, sign / valid.sum())


def test_offset_l1_is_the_distance_along_the_axes_on_objects(generator):
    offsets, target = 9 * torch.randn(2, B, 2, H, W, generator=generator, dtype=torch.float64)
    on_instance = torch.rand(B, H, W, generator=generator) < 0.4
    terms = [
        sum(abs(offsets[b, axis, y, x].item() - target[b, axis, y, x].item()) for axis in (0, 1))
        for b, y, x in pixels(on_instance)
    ]
    assert offset_l1(offsets, target, on_instance).item() == pytest.approx(np.mean(terms))
    nothing = offset_l1(offsets.requires_grad_(), target, torch.zeros_like(on_instance))
    nothing.backward()
    assert nothing.item() == 0
    assert not offsets.grad.any()
