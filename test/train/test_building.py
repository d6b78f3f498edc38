"""What a network may start from, and what it starts with."""

from dataclasses import replace

import pytest
import torch

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import read_info
from train.building import DEPTH_HEAD, ENCODER, SEMANTIC_HEAD, WHOLE, build, start_from
from train.cli import run
from train.module import NetworkModule


@pytest.fixture
def info(checkpoints):
    return read_info(checkpoints['SegDepthFormer'])


def weights(network):
    """Copies, by name."""
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize('part', [WHOLE, ENCODER, SEMANTIC_HEAD, DEPTH_HEAD])
def test_only_the_parts_asked_for_are_taken_over(part, checkpoints, info):
    network = build(info, 3.0)
    before = weights(network)
    source = emu_model.load(checkpoints['SegDepthFormer']).state_dict()
    start_from(checkpoints['SegDepthFormer'], network, [part])
    for name, value in network.state_dict().items():
        expected = source if name.startswith(part) else before
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_dropout_left_on_needs_no_weights_of_its_own(checkpoints, info):
    network = build(replace(info, method='mc_dropout', num_samples=5), 3.0)
    start_from(checkpoints['SegDepthFormer'], network, [WHOLE])
    source = emu_model.load(checkpoints['SegDepthFormer']).state_dict()
    torch.testing.assert_close(weights(network), dict(source), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('changes', 'part', 'message'),
    [
        ({'backbone': 'mit_b1'}, ENCODER, r'backbone mit_b0 instead of mit_b1'),
        ({'backbone': 'mit_b1'}, SEMANTIC_HEAD, r'backbone mit_b0 instead of mit_b1'),
        ({'head_width': 32}, WHOLE, r'head_width 256 instead of 32'),
        ({'head_width': 32}, DEPTH_HEAD, r'head_width 256 instead of 32'),
        ({'depth_target': 'inverse'}, DEPTH_HEAD, r'depth_target depth instead of inverse'),
        ({'class_names': ('floor', 'wall')}, SEMANTIC_HEAD, r'class_names .* instead of floor, w'),
        ({'network': 'DepthFormer'}, WHOLE, r'tasks semantic, depth instead of depth'),
        ({'network': 'DepthFormer'}, SEMANTIC_HEAD, r'what is trained has no heads.semantic'),
        ({'method': 'sub_ensemble', 'num_samples': 2}, WHOLE, r'method single instead of sub_ens'),
    ],
)
def test_weights_that_do_not_fit_are_refused(changes, part, message, checkpoints, info):
    network = build(replace(info, **changes), 3.0)
    before = weights(network)
    with pytest.raises(ValueError, match=message):
        start_from(checkpoints['SegDepthFormer'], network, [part])
    torch.testing.assert_close(weights(network), before, rtol=0, atol=0)


def test_a_head_that_is_not_there_is_refused(checkpoints, info):
    with pytest.raises(ValueError, match=r'a SegFormer with mit_b0.*it has no heads.depth'):
        start_from(checkpoints['SegFormer'], build(info, 3.0), [DEPTH_HEAD])


@pytest.mark.parametrize('part', [WHOLE, ENCODER, DEPTH_HEAD])
def test_an_ensemble_is_nothing_to_start_from(part, checkpoints, info, tmp_path):
    checkpoint.save_ensemble(tmp_path, [checkpoints['SegDepthFormer']] * 2)
    with pytest.raises(ValueError, match='is an ensemble of 2 networks: start from one of its'):
        start_from(tmp_path, build(info, 3.0), [part])


@pytest.mark.parametrize(('target', 'bias'), [('depth', 4.0), ('inverse', 0.25)])
def test_every_depth_head_starts_at_the_mean_depth(target, bias, info):
    info = replace(info, depth_target=target, method='sub_ensemble', num_samples=2)
    network = build(info, 4.0)
    for heads in (network.heads, network.further_heads[0]):
        assert heads['depth'].predict.bias[0] == bias


def test_an_encoder_without_stochastic_depth_trains_at_a_rate_of_zero(arguments, tmp_path, capsys):
    options = ['--trainer.max_steps=1', '--model.backbone=densenet121']
    assert run(NetworkModule, '', [*arguments, *options, f'--output={tmp_path / "not"}']) == 1
    assert "does not take the options {'drop_path_rate': 0.1}" in capsys.readouterr().err
    options += ['--model.drop_path_rate=0']
    assert run(NetworkModule, '', [*arguments, *options, f'--output={tmp_path / "zero"}']) == 0
    info = read_info(tmp_path / 'zero' / 'network.safetensors')
    assert (info.backbone, info.backbone_options) == ('densenet121', {})


def test_a_run_says_what_it_cannot_start_from(arguments, checkpoints, tmp_path, capsys):
    options = ['--trainer.max_steps=1', '--model.backbone=mit_b1']
    options += [f'--model.encoder_weights={checkpoints["SegFormer"]}']
    assert run(NetworkModule, '', [*arguments, *options, f'--output={tmp_path}']) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: '{checkpoints['SegFormer']}', a SegFormer with mit_b0")
    assert error.endswith('(backbone mit_b0 instead of mit_b1): start from one that does\n')
