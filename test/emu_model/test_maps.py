"""The maps against plain NumPy and SciPy, pixel by pixel in float64."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from emu_model.maps import predict_maps
from emu_model.tasks import OUTPUTS


@pytest.fixture
def raw():
    generator = torch.Generator().manual_seed(3)
    return {
        'semantic': 4 * torch.randn(2, 7, 5, 6, generator=generator),
        'depth': 3 * torch.randn(2, 2, 5, 6, generator=generator),
        'instance': 3 * torch.randn(2, 2, 5, 6, generator=generator),
    }


def bilinear(plane, size):
    """Bilinear upsampling with half-pixel centres, one output pixel at a time."""
    height, width = plane.shape
    result = np.empty(size)
    for row in range(size[0]):
        for column in range(size[1]):
            y = np.clip((row + 0.5) * height / size[0] - 0.5, 0, height - 1)
            x = np.clip((column + 0.5) * width / size[1] - 0.5, 0, width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = plane[top, left] * (1 - x + left) + plane[top, right] * (x - left)
            lower = plane[bottom, left] * (1 - x + left) + plane[bottom, right] * (x - left)
            result[row, column] = upper * (1 - y + top) + lower * (y - top)
    return result


@pytest.mark.parametrize('size', [(5, 6), (20, 24), (13, 17)])
def test_maps_are_upsampled_first_and_activated_after(raw, size):
    maps = predict_maps(raw, OUTPUTS, size)
    for index in range(2):
        logits = np.stack([bilinear(p, size) for p in raw['semantic'][index].double().numpy()])
        probabilities = softmax(logits, axis=0)
        mean, variance = (bilinear(p, size) for p in raw['depth'][index].double().numpy())
        right, down = (bilinear(p, size) for p in raw['instance'][index].double().numpy())
        expected = {
            'entropy': scipy_entropy(probabilities, axis=0),
            'confidence': probabilities.max(axis=0),
            'depth': np.maximum(mean, 0),
            'depth_std': np.sqrt(np.logaddexp(0, variance)),
            'offset_x': right,
            'offset_y': down,
        }
        np.testing.assert_array_equal(maps['classes'][index], logits.argmax(axis=0))
        for name, value in expected.items():
            # fp32 against float64 through one exponential.
            np.testing.assert_allclose(maps[name][index], value, rtol=1e-5, atol=2e-6)


def test_only_what_is_wanted_and_there_is_made(raw):
    assert set(predict_maps(raw, ('entropy', 'depth'), (5, 6))) == {'entropy', 'depth'}
    assert set(predict_maps({'depth': raw['depth']}, OUTPUTS, (5, 6))) == {'depth', 'depth_std'}


def test_entropy_is_zero_when_certain_and_log_of_the_classes_when_not():
    certain = torch.tensor([100.0, -100.0, -100.0]).view(1, 3, 1, 1)
    maps = predict_maps({'semantic': torch.cat([certain, 0 * certain])}, ('entropy',), (1, 1))
    assert maps['entropy'].flatten().tolist() == pytest.approx([0, np.log(3)])


def test_extreme_logits_give_finite_maps(raw):
    maps = predict_maps({task: 1e4 * value for task, value in raw.items()}, OUTPUTS, (9, 9))
    assert all(torch.isfinite(value).all() for value in maps.values())
