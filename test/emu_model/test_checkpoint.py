import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import emu_model
from emu_model import SegDepthFormer, SegFormer, checkpoint
from emu_model.checkpoint import CheckpointError, CheckpointInfo, read_info

INFO = CheckpointInfo(
    network='SegDepthFormer',
    backbone='mit_b0',
    head_width=256,
    backbone_options={'drop_path_rate': 0.1},
    label_set='two',
    class_names=('floor', 'obstacle'),
    palette=((0, 128, 0), (200, 0, 0)),
    input_size=(96, 128),
    focal_length_px=110.5,
    depth_range_m=(0.3, 80.0),
    training_data='nothing',
    training={'steps': 0},
    validation={'miou': 0.1},
    normal_uncertainty={'entropy': {'frame_mean': {'0.5': 0.1}}},
)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = SegDepthFormer('mit_b0', 2)
    checkpoint.save(network, INFO, tmp_path / 'network.safetensors')
    return network, tmp_path / 'network.safetensors'


def test_a_loaded_network_is_the_saved_one_in_eval_mode(saved):
    network, path = saved
    loaded = emu_model.load(path)
    assert loaded.info == INFO
    assert not loaded.training
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected, actual = network.eval()(image), loaded(image)
    assert all(torch.equal(expected[task], actual[task]) for task in ('semantic', 'depth'))


def test_half_precision_halves_the_file_and_loads_as_fp32(saved, tmp_path):
    network, path = saved
    half = tmp_path / 'half.safetensors'
    checkpoint.save(network, INFO, half, half=True)
    assert half.stat().st_size < 0.51 * path.stat().st_size
    state = emu_model.load(half).state_dict()
    for name, value in network.state_dict().items():
        assert state[name].dtype == value.dtype
        # Half precision keeps 11 bits.
        torch.testing.assert_close(state[name], value, rtol=2**-11, atol=1e-7)


def test_the_info_survives_the_file_unchanged(saved):
    _, path = saved
    assert read_info(path) == INFO
    assert read_info(path).labels.class_names == ('floor', 'obstacle')
    assert read_info(path).tasks == ('semantic', 'depth')


def test_reading_the_info_needs_no_torch(saved):
    _, path = saved
    code = (
        'import sys; from emu_model.checkpoint import read_info; import emu_model.engines\n'
        f'read_info({str(path)!r})\n'
        'sys.exit("torch" in sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_a_checkpoint_may_be_read_by_all_who_may_read_other_new_files(saved):
    _, path = saved
    (path.parent / 'other').touch()
    assert path.stat().st_mode == (path.parent / 'other').stat().st_mode


def test_an_interrupted_save_leaves_the_old_file(saved, monkeypatch):
    network, path = saved
    before = path.read_bytes()
    monkeypatch.setattr(os, 'replace', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        checkpoint.save(network, INFO, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent'):
        emu_model.load(tmp_path / 'absent.safetensors')


@pytest.mark.parametrize('length', [0, 5, 300, -1000])
def test_a_truncated_file_is_told_from_a_whole_one(saved, length):
    _, path = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match='is truncated or not a safetensors file'):
        emu_model.load(path)


def test_weights_without_metadata_point_to_the_import(saved):
    _, path = saved
    save_file(load_file(path), path)
    with pytest.raises(CheckpointError, match=r'without EMUFormer metadata.*import_weights'):
        emu_model.load(path)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'backbone': 'mit_b1'}, 'not of the SegDepthFormer with mit_b1'),
        ({'network': 'SegFormer'}, 'not of the SegFormer with mit_b0'),
        ({'backbone': 'mit_b7'}, "no backbone 'mit_b7'"),
        ({'backbone_options': {'unheard_of': 1}}, 'cannot be built'),
    ],
)
def test_weights_of_another_architecture_are_refused(saved, changes, reason):
    _, path = saved
    claimed = dataclasses.replace(INFO, **changes)
    save_file(load_file(path), path, {'emuformer': claimed.to_json()})
    with pytest.raises(CheckpointError, match=reason):
        emu_model.load(path)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{"format_version": 2}', 'format version 2, this package reads 1: update'),
        ('{"format_version": 1, "network": "NewFormer"}', "network is 'NewFormer'"),
        ('{"format_version": 1, "network": "SegFormer"}', 'backbone, head_width'),
        ('not json', 'Expecting value'),
        ('[1]', 'not a JSON object'),
    ],
)
def test_metadata_that_cannot_be_read_says_why(saved, text, reason):
    _, path = saved
    save_file(load_file(path), path, {'emuformer': text})
    with pytest.raises(CheckpointError, match=reason):
        read_info(path)


def test_every_field_reaches_the_json():
    fields = {field.name for field in dataclasses.fields(CheckpointInfo)}
    assert set(json.loads(INFO.to_json())) == {'format_version', *fields}


def test_saving_refuses_an_info_of_another_network(tmp_path):
    network = SegFormer('mit_b0', 2)
    with pytest.raises(ValueError, match='has heads semantic, its info says SegDepthFormer'):
        checkpoint.save(network, INFO, tmp_path / 'wrong.safetensors')


@pytest.mark.parametrize(
    ('network', 'training', 'trained'),
    [
        ('SegFormer', {}, ('entropy',)),
        ('DepthFormer', {'depth_loss': 'gnll'}, ('depth_std',)),
        ('SegDepthFormer', {}, ('entropy', 'depth_std')),
        ('SegDepthFormer', {'depth_loss': 'l1'}, ('entropy',)),
        ('DepthFormer', {'depth_loss': 'mse', 'teacher': 't', 'rmsle_weight': 0.0}, ()),
        (
            'DepthFormer',
            {'depth_loss': 'mse', 'teacher': 't', 'rmsle_weight': 1.0},
            ('depth_std',),
        ),
    ],
)
def test_the_variance_is_trained_by_its_likelihood_or_by_a_teacher(network, training, trained):
    info = CheckpointInfo(network, 'mit_b0', 256, training=training)
    assert info.trained_uncertainties == trained
