"""What the tests of the metric groups share: random maps, and how to compare results."""

import numpy as np
import torch

from emu_model.metrics import DepthMetrics, InstanceMetrics, SemanticMetrics

NUM_CLASSES = 5


def semantic_batch(images, seed, height=12, width=10):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, NUM_CLASSES, height, width, generator=generator)
    probabilities = logits.softmax(1)
    confidence, classes = probabilities.max(1)
    target = torch.randint(0, NUM_CLASSES, classes.shape, generator=generator)
    target = torch.where(torch.rand(classes.shape, generator=generator) < 0.6, classes, target)
    target[torch.rand(classes.shape, generator=generator) < 0.1] = 255
    return {
        'classes': classes.to(torch.uint8),
        'target': target.to(torch.uint8),
        'entropy': torch.special.entr(probabilities).sum(1),
        'confidence': confidence,
        'probabilities': probabilities,
    }


def depth_batch(images, seed, height=12, width=10):
    generator = torch.Generator().manual_seed(seed)
    shape = images, height, width
    depth = 1 + 9 * torch.rand(shape, generator=generator)
    std = 0.2 + torch.rand(shape, generator=generator)
    target = (depth + std * torch.randn(shape, generator=generator)).clamp_min(0.1)
    target[torch.rand(shape, generator=generator) < 0.1] = 0
    return {'depth': depth, 'target': target, 'variance': std.square()}


def instance_batch(images, seed, height=12, width=10):
    generator = torch.Generator().manual_seed(seed)
    instances = torch.zeros(images, height, width, dtype=torch.int64)
    instances[:, :5, :4], instances[:, 3:9, 5:] = 1, 7
    return {
        'offsets': 3 * torch.randn(images, 2, height, width, generator=generator),
        'instances': instances,
    }


GROUPS = {
    'semantic': (lambda: SemanticMetrics(NUM_CLASSES), semantic_batch),
    'semantic_all_pixels': (
        lambda: SemanticMetrics(NUM_CLASSES, all_pixels=True),
        semantic_batch,
    ),
    'depth': (DepthMetrics, depth_batch),
    'depth_all_pixels': (lambda: DepthMetrics(all_pixels=True), depth_batch),
    'instance': (lambda: InstanceMetrics((1, 2)), instance_batch),
}
"""Each group with what makes its input."""


def assert_same_figures(actual, expected):
    """Equal keys and values of nested results.

    Sums in another order round differently, and the batches' own fp32 softmax differs in its last
    bit between processes with different numbers of threads.
    """
    actual, expected = _flat(actual), _flat(expected)
    assert list(actual) == list(expected)
    np.testing.assert_allclose(
        list(actual.values()), list(expected.values()), rtol=1e-7, atol=1e-7
    )


def _flat(results, path=''):
    if isinstance(results, dict):
        return {k: v for key in results for k, v in _flat(results[key], f'{path}.{key}').items()}
    if isinstance(results, list):
        return _flat(dict(enumerate(results)), path)
    return {path: np.nan if results is None else results}
