"""Networks that predict inverse depth: everybody gets metres."""

import dataclasses

import numpy as np
import pytest
import torch

import emu_model
from emu_model import SegDepthFormer, checkpoint
from emu_model.checkpoint import CheckpointError, CheckpointInfo, read_info, save_ensemble
from emu_model.engines import create_engine
from emu_model.inverse_depth import to_metres
from emu_model.sampling import RunningMoments, predict_distribution

RANGE_M = (0.5, 60.0)
INFO = CheckpointInfo(
    'SegDepthFormer',
    'mit_b0',
    256,
    class_names=('a', 'b', 'c'),
    palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    input_size=(64, 96),
    depth_range_m=RANGE_M,
    depth_target='inverse',
)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    torch.manual_seed(0)
    network = SegDepthFormer('mit_b0', 3)
    head = network.heads['depth'].predict
    with torch.no_grad():
        # Inverse depths around 1/20 m, some of them below zero.
        head.weight.mul_(0.1)
        head.bias.copy_(torch.tensor([0.05, -6.0]))
    path = tmp_path_factory.mktemp('inverse') / 'network.safetensors'
    checkpoint.save(network, INFO, path)
    return path


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


def raw_depth(path, frames):
    """Inverse depth and its std, as the network has them."""
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (INFO.mean, INFO.std))
    with torch.inference_mode():
        raw = emu_model.load(path)((image - mean) / std)['depth']
    full = torch.nn.functional.interpolate(raw.double(), (64, 96), mode='bilinear').numpy()
    return full[:, 0], np.sqrt(np.logaddexp(0, full[:, 1]))


@pytest.mark.parametrize('engine', ['torch', 'openvino', 'onnxruntime'])
def test_every_engine_gives_metres(engine, path, frames, tmp_path, monkeypatch):
    monkeypatch.setenv('EMUFORMER_CACHE', str(tmp_path))
    inverse, std = raw_depth(path, frames)
    assert (inverse > 0).any()
    engine = create_engine(path, engine, 'cpu', precision='fp32')
    prediction = engine.predict(frames)
    expected = 1 / np.maximum(inverse, 1 / RANGE_M[1])
    np.testing.assert_allclose(prediction.depth, expected, rtol=1e-3)
    np.testing.assert_allclose(prediction.depth_std, std * expected**2, rtol=3e-3)
    alone = engine.predict(frames, ('depth_std',))
    assert set(alone.maps()) == {'depth_std'}
    np.testing.assert_array_equal(alone.depth_std, prediction.depth_std)
    engine.close()


def test_the_std_is_the_propagated_one():
    # A thousandth at 1/20 m: a Monte Carlo estimate of the depth's standard deviation.
    samples = 0.05 + 0.001 * np.random.default_rng(0).standard_normal(200_000)
    depth, std = to_metres(np.array([0.05]), np.array([0.001]), RANGE_M)
    assert depth[0] == pytest.approx(20)
    assert std[0] == pytest.approx((1 / samples).std(), rel=0.01)


def test_distributions_average_metres_sample_by_sample():
    generator = torch.Generator().manual_seed(0)
    samples = [0.02 + 0.2 * torch.rand(1, 2, 6, 8, generator=generator) for _ in range(4)]
    moments = RunningMoments((6, 8), epistemic=True, info=INFO)
    for raw in samples:
        moments.add({'depth': raw})
    raws = torch.stack(samples).double().numpy()
    depths = 1 / np.maximum(raws[:, :, 0], 1 / RANGE_M[1])
    variances = np.logaddexp(0, raws[:, :, 1]) * depths**4
    distribution = moments.distribution()
    np.testing.assert_allclose(distribution.depth, depths.mean(0), rtol=1e-5)
    expected = variances.mean(0) + depths.var(0)
    np.testing.assert_allclose(distribution.depth_variance, expected, rtol=1e-4)
    np.testing.assert_allclose(distribution.depth_spread, depths.var(0), rtol=1e-3)


def test_evaluation_and_engine_see_the_same(path, frames):
    network = emu_model.load(path)
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (INFO.mean, INFO.std))
    with torch.inference_mode():
        distribution = predict_distribution(network, (image - mean) / std, (64, 96))
    prediction = create_engine(path, 'torch', 'cpu').predict(frames)
    np.testing.assert_allclose(prediction.depth, distribution.depth, rtol=1e-3)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'depth_target': 'depth'}, "depth_target is 'depth', the first's 'inverse'"),
        ({'focal_length_px': 7.0}, "focal_length_px is 7.0, the first's"),
        ({'mean': (0.5, 0.5, 0.5)}, r"mean is .0.5, 0.5, 0.5., the first's"),
    ],
)
def test_members_must_see_and_predict_the_same(path, tmp_path, changed, message):
    other = tmp_path / 'other.safetensors'
    checkpoint.save(emu_model.load(path), dataclasses.replace(INFO, **changed), other)
    with pytest.raises(ValueError, match=message):
        save_ensemble(tmp_path / 'both', [path, other])


def test_a_target_of_a_later_version_is_refused(path, tmp_path):
    info = dataclasses.replace(INFO, depth_target='logarithm')
    other = tmp_path / 'later.safetensors'
    checkpoint.save(emu_model.load(path), info, other)
    with pytest.raises(CheckpointError, match="'logarithm', this package knows depth, inverse"):
        read_info(other)
