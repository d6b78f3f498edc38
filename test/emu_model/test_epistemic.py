"""The share of the uncertainty that comes from samples that disagree."""

import numpy as np
import pytest
import torch

from emu_model.engines import create_engine
from emu_model.sampling import RunningMoments
from emu_model.tasks import outputs_of

EPISTEMIC = ('mutual_information', 'depth_epistemic_std')


def moments_of(raw_samples, **options):
    moments = RunningMoments((6, 8), **options)
    for raw in raw_samples:
        moments.add(raw)
    return moments.distribution().maps((*outputs_of(('semantic', 'depth')), *EPISTEMIC))


def raw(seed):
    generator = torch.Generator().manual_seed(seed)
    return {
        'semantic': 3 * torch.randn(2, 5, 6, 8, generator=generator),
        'depth': 4 + torch.randn(2, 2, 6, 8, generator=generator),
    }


def test_mutual_information_and_spread_are_those_of_a_plain_loop():
    samples = [raw(seed) for seed in range(4)]
    found = moments_of(samples, epistemic=True)
    softmax = np.stack([s['semantic'].double().softmax(1).numpy() for s in samples])
    entropy = -(softmax * np.log(softmax)).sum(axis=2)
    mean = softmax.mean(axis=0)
    expected = -(mean * np.log(mean)).sum(axis=1) - entropy.mean(axis=0)
    # float32 softmax and logarithm.
    np.testing.assert_allclose(found['mutual_information'], expected, atol=2e-6)
    depths = np.stack([s['depth'][:, 0].double().relu().numpy() for s in samples])
    np.testing.assert_allclose(found['depth_epistemic_std'], depths.std(axis=0), atol=2e-6)


def test_samples_that_agree_have_no_epistemic_share():
    found = moments_of([raw(0)] * 3, epistemic=True)
    np.testing.assert_allclose(found['mutual_information'], 0, atol=1e-6)
    np.testing.assert_allclose(found['depth_epistemic_std'], 0, atol=1e-6)
    assert (found['mutual_information'] >= 0).all()


def test_it_is_kept_only_where_it_is_asked_for():
    assert not set(EPISTEMIC) & set(moments_of([raw(0), raw(1)]))


def test_a_single_network_has_no_such_maps(checkpoints):
    engine = create_engine(checkpoints['SegDepthFormer'], 'torch', 'cpu')
    assert not set(EPISTEMIC) & set(engine.outputs)
    found = engine.predict(np.zeros((64, 96, 3), np.uint8), EPISTEMIC)
    assert found.maps() == {}
    with pytest.raises(ValueError, match='no output named epistemic: choose of'):
        engine.predict(np.zeros((64, 96, 3), np.uint8), ['epistemic'])
