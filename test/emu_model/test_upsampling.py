"""Resizing by matrix products is PyTorch's bilinear interpolation, with its gradient."""

import pytest
import torch
import torch.nn.functional as F

from emu_model.upsampling import upsample


@pytest.mark.parametrize(
    ('source', 'target'),
    [((3, 4), (24, 32)), ((5, 7), (17, 23)), ((1, 1), (4, 6)), ((6, 8), (6, 8)), ((9, 8), (4, 5))],
)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_interpolate(source, target, dtype):
    torch.manual_seed(0)
    values = torch.randn(2, 3, *source, dtype=dtype)
    weights = torch.randn(2, 3, *target, dtype=dtype)
    results = []
    for resize in (upsample, lambda x, size: F.interpolate(x, size=size, mode='bilinear')):
        leaf = values.clone().requires_grad_()
        resized = resize(leaf, target)
        (gradient,) = torch.autograd.grad((resized * weights).sum(), leaf)
        results.append((resized, gradient))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_autocast_leaves_the_values_in_their_type():
    values = torch.rand(1, 2, 3, 4)
    with torch.autocast('cpu', torch.bfloat16):
        resized = upsample(values, (12, 16))
    torch.testing.assert_close(resized, upsample(values, (12, 16)), rtol=0, atol=0)


def test_inference_before_training_does_no_harm():
    values = torch.rand(1, 2, 5, 9)
    with torch.inference_mode():
        upsample(values, (10, 27))
    upsample(values.requires_grad_(), (10, 27)).sum().backward()
    assert values.grad is not None
