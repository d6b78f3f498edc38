"""The instance head in every engine: offsets, and the instances that are grouped from them."""

import dataclasses

import numpy as np
import pytest
import torch

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.export import export
from emu_model.framing import frame_window
from emu_model.grouping import group_by_votes
from emu_model.networks import Network
from emu_model.prediction import Prediction
from emu_model.sampling import MonteCarloDropout
from emu_model.tasks import NETWORKS, outputs_of

INFO = CheckpointInfo(
    'SegDepthInstanceFormer',
    'mit_b0',
    256,
    class_names=('a', 'b', 'c'),
    palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    input_size=(64, 96),
    things=(1, 2),
)
ENGINES = ('torch', 'openvino', 'onnxruntime')


def save(network, info, path):
    with torch.no_grad():
        network.heads['instance'].predict.weight.mul_(20)
    checkpoint.save(network, info, path)
    return path


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('instances') / 'network.safetensors'
    return save(Network.from_info(INFO), INFO, path)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('EMUFORMER_CACHE', str(tmp_path))


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


def raw_offsets(path, frames, size=(64, 96)):
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (INFO.mean, INFO.std))
    with torch.inference_mode():
        raw = emu_model.load(path)((image - mean) / std)['instance']
    return torch.nn.functional.interpolate(raw, size, mode='bilinear').numpy()


@pytest.mark.parametrize('engine', ENGINES)
def test_instances_are_grouped_from_the_networks_offsets(engine, path, frames):
    engine = create_engine(path, engine, 'cpu', precision='fp32')
    assert engine.outputs == outputs_of(NETWORKS[INFO.network])
    prediction = engine.predict(frames)
    offsets = raw_offsets(path, frames)
    largest = np.abs(offsets).max()
    for name, expected in (('offset_x', offsets[:, 0]), ('offset_y', offsets[:, 1])):
        np.testing.assert_allclose(
            getattr(prediction, name), expected, rtol=0, atol=1e-5 * largest
        )
    assert prediction.instances.dtype == np.uint16
    for index, found in enumerate(prediction.instances):
        one = prediction[index]
        again = group_by_votes(one.classes, one.offset_x, one.offset_y, INFO.things)
        np.testing.assert_array_equal(found, again)
        assert not found[one.classes == 0].any()
    alone = engine.predict(frames, ('instances',))
    assert set(alone.maps()) == {'instances'}
    np.testing.assert_array_equal(alone.instances, prediction.instances)
    engine.close()


@pytest.mark.parametrize('engine', ENGINES)
def test_offsets_are_pixels_of_the_map(engine, path, frames):
    engine = create_engine(path, engine, 'cpu', precision='fp32')
    large = engine.predict(frames, ('offset_x', 'offset_y'), size=(128, 288))
    offsets = raw_offsets(path, frames, (128, 288))
    atol = 1e-5 * 3 * np.abs(offsets).max()
    np.testing.assert_allclose(large.offset_x, 3 * offsets[:, 0], rtol=0, atol=atol)
    np.testing.assert_allclose(large.offset_y, 2 * offsets[:, 1], rtol=0, atol=atol)
    engine.close()


@pytest.mark.parametrize(('suffix', 'engine'), [('onnx', 'onnxruntime'), ('xml', 'openvino')])
def test_exported_files_have_the_instance_head_too(suffix, engine, path, frames, tmp_path):
    exported = tmp_path / f'network.{suffix}'
    export(path, exported, 'onnx' if suffix == 'onnx' else 'openvino')
    found = create_engine(exported, engine, 'cpu', precision='fp32').predict(frames)
    expected = create_engine(path, 'torch', 'cpu').predict(frames)
    largest = np.abs(expected.offset_x).max()
    np.testing.assert_allclose(found.offset_x, expected.offset_x, rtol=0, atol=1e-5 * largest)
    assert found.instances is not None


@pytest.mark.parametrize(
    'network', [name for name, tasks in NETWORKS.items() if 'instance' in tasks]
)
def test_instances_need_classes_and_offsets_do_not(network, frames, tmp_path):
    has_classes = 'semantic' in NETWORKS[network]
    classes = {} if has_classes else {'class_names': (), 'palette': ()}
    info = dataclasses.replace(INFO, network=network, **classes)
    path = save(Network.from_info(info), info, tmp_path / 'network.safetensors')
    maps = create_engine(path, 'torch', 'cpu').predict(frames).maps()
    assert {'offset_x', 'offset_y'} <= set(maps)
    assert ('instances' in maps) == has_classes
    assert emu_model.load(path).tasks == NETWORKS[network]


def test_networks_that_sample_vote_with_their_mean(frames, tmp_path):
    torch.manual_seed(0)
    info = dataclasses.replace(INFO, method='mc_dropout', num_samples=2, head_dropout=0.5)
    network = MonteCarloDropout.from_info(info)
    path = save(network, info, tmp_path / 'network.safetensors')
    engine = create_engine(path, 'torch', 'cpu')
    engine.seed(3)
    found = engine.predict(frames)
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (INFO.mean, INFO.std))
    torch.manual_seed(3)
    with torch.inference_mode():
        samples = [raw['instance'] for raw in network.eval().samples((image - mean) / std)]
    full = torch.nn.functional.interpolate(sum(samples) / 2, (64, 96), mode='bilinear').numpy()
    atol = 1e-5 * np.abs(full).max()
    np.testing.assert_allclose(found.offset_x, full[:, 0], rtol=0, atol=atol)
    assert set(found.maps()) == set(engine.outputs)
    assert {'instances', 'mutual_information'} <= set(engine.outputs)


def test_outside_of_what_the_network_sees_there_is_no_instance():
    window = frame_window((60, 90), (64, 64), 'crop')
    ones = {'instances': np.ones(window.size, np.uint16), 'offset_x': np.ones(window.size)}
    whole = window.undo(Prediction(**ones))
    assert whole.instances.dtype == np.uint16
    seen = np.isfinite(whole.offset_x)
    assert seen.any()
    assert not seen.all()
    np.testing.assert_array_equal(whole.instances, seen)
