"""Training runs of a few steps on tiny scenes, started as a user starts them."""

import csv
import signal
import subprocess
import sys

import pytest
import torch

import emu_model
from emu_model.checkpoint import read_info
from train.cli import run
from train.module import NetworkModule

STEPS = 7


@pytest.fixture
def arguments(arguments):
    return [*arguments, f'--trainer.max_steps={STEPS}']


def losses(folder):
    with (folder / 'metrics.csv').open() as file:
        return {
            int(row['step']): float(row['train/loss'])
            for row in csv.DictReader(file)
            if row.get('train/loss')
        }


def test_a_killed_run_goes_on_with_the_same_losses(arguments, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert run(NetworkModule, '', [*arguments, f'--output={whole}']) == 0
    suicide = (
        'import os, signal, sys\n'
        'from train.cli import run\n'
        'from train.module import NetworkModule\n'
        'step = NetworkModule.training_step\n'
        'def training_step(self, *batch):\n'
        '    if self.global_step == 5: os.kill(os.getpid(), signal.SIGKILL)\n'
        '    return step(self, *batch)\n'
        'NetworkModule.training_step = training_step\n'
        'run(NetworkModule, "", sys.argv[1:])'
    )
    command = [sys.executable, '-c', suicide, *arguments, f'--output={killed}']
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert not (killed / 'network.safetensors').exists()
    assert run(NetworkModule, '', [*arguments, f'--output={killed}']) == 0
    expected, resumed = losses(whole), losses(killed)
    assert sorted(expected) == list(range(STEPS))
    assert sorted(resumed) == list(range(STEPS))
    assert resumed == pytest.approx(expected, rel=1e-6)
    weights = [emu_model.load(run / 'network.safetensors').state_dict() for run in (whole, killed)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value)


def test_a_finished_run_is_left_alone(arguments, tmp_path, capsys):
    arguments = [*arguments, f'--output={tmp_path}', '--trainer.max_steps=1']
    assert run(NetworkModule, '', arguments) == 0
    before = (tmp_path / 'network.safetensors').read_bytes()
    assert run(NetworkModule, '', arguments) == 0
    assert 'is there already: this run is finished' in capsys.readouterr().out
    assert (tmp_path / 'network.safetensors').read_bytes() == before


def test_a_run_leaves_a_checkpoint_that_explains_itself(arguments, tmp_path):
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}', '--seed=3']) == 0
    info = emu_model.load(tmp_path / 'network.safetensors').info
    assert (info.network, info.backbone, info.head_width) == ('SegDepthFormer', 'mit_b0', 256)
    assert (info.input_size, info.focal_length_px) == ((32, 48), 40)
    assert info.training['seed'] == 3000
    assert 0 <= info.validation['semantic']['miou'] <= 1
    assert info.validation['depth']['rmse'] > 0
    quantiles = info.normal_uncertainty['depth_std']['pixel']
    assert list(quantiles.values()) == sorted(quantiles.values())
    assert {file.name for file in tmp_path.iterdir()} >= {
        'best.ckpt',
        'config.yaml',
        'last.ckpt',
        'metrics.csv',
        'tensorboard',
    }


def test_a_checkpoint_says_nothing_normal_of_an_uncertainty_that_was_not_trained(
    arguments, tmp_path
):
    options = ['--trainer.max_steps=1', '--model.depth_loss=huber']
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}', *options]) == 0
    assert set(read_info(tmp_path / 'network.safetensors').normal_uncertainty) == {'entropy'}


@pytest.mark.parametrize('keep', ['best', 'last'])
def test_the_network_is_that_of_the_step_to_keep(keep, arguments, tmp_path):
    # The last step comes after the only validation.
    options = [f'--output={tmp_path}', f'--keep={keep}', '--trainer.max_steps=3']
    options += ['--trainer.val_check_interval=2']
    assert run(NetworkModule, '', [*arguments, *options]) == 0
    kept = torch.load(tmp_path / f'{keep}.ckpt', weights_only=False)['state_dict']
    network = emu_model.load(tmp_path / 'network.safetensors')
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, kept[f'network.{name}'])
    steps = {'best': 2, 'last': 3}
    assert network.state_dict()['heads.depth.norm.num_batches_tracked'] == steps[keep]


def test_members_differ_in_heads_and_order_but_not_in_the_encoder_they_start_from(
    arguments, tmp_path
):
    first = tmp_path / 'first'
    one_step = [*arguments, '--trainer.max_steps=1', '--model.learning_rate=0']
    assert run(NetworkModule, '', [*one_step, f'--output={first}']) == 0
    states = []
    for member in (1, 2):
        output = tmp_path / f'member_{member}'
        assert (
            run(
                NetworkModule,
                '',
                [
                    *one_step,
                    f'--output={output}',
                    f'--member={member}',
                    f'--model.encoder_weights={first}/network.safetensors',
                ],
            )
            == 0
        )
        states.append(emu_model.load(output / 'network.safetensors').state_dict())
    weight = 'backbone.stages_0.patch_embed.proj.weight'
    assert torch.equal(states[0][weight], states[1][weight])
    head = 'heads.semantic.fuse.weight'
    assert not torch.equal(states[0][head], states[1][head])
    assert losses(tmp_path / 'member_1') != losses(tmp_path / 'member_2')


@pytest.mark.parametrize(
    ('method', 'options'),
    [
        ('mc_dropout', ['--model.num_samples=2', '--model.dropout=0.5']),
        ('sub_ensemble', ['--model.num_samples=3']),
    ],
)
def test_networks_that_sample_are_trained_too(method, options, arguments, tmp_path):
    options = [f'--model.method={method}', *options, f'--output={tmp_path}']
    assert run(NetworkModule, '', [*arguments, *options, '--trainer.max_steps=3']) == 0
    network = emu_model.load(tmp_path / 'network.safetensors')
    assert network.info.method == method
    assert len(list(network.samples(torch.zeros(1, 3, 32, 48)))) == network.info.num_samples


@pytest.mark.parametrize('task', ['SegFormer', 'DepthFormer'])
@pytest.mark.parametrize('depth_loss', ['mse', 'huber'])
def test_single_tasks_and_other_depth_losses_are_trained_too(
    task, depth_loss, arguments, tmp_path
):
    if task == 'SegFormer' and depth_loss == 'huber':
        pytest.skip('a SegFormer has no depth loss')
    options = [f'--model.network={task}', f'--model.depth_loss={depth_loss}']
    assert (
        run(
            NetworkModule,
            '',
            [*arguments, *options, f'--output={tmp_path}', '--trainer.max_steps=2'],
        )
        == 0
    )
    assert emu_model.load(tmp_path / 'network.safetensors').info.network == task


def test_a_loss_that_is_not_finite_is_named(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        'train.module.semantic_cross_entropy', lambda logits, batch: logits.sum() * float('nan')
    )
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}']) == 1
    message = capsys.readouterr().err
    assert 'loss term semantic is not finite at step 0: lower learning_rate' in message
    assert not (tmp_path / 'network.safetensors').exists()


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('--model.network=Encoder', "network 'Encoder' is unknown: choose of SegFormer"),
        ('--model.method=ensemble', "method 'ensemble' is unknown: choose of single"),
        ('--model.depth_loss=l7', "depth_loss 'l7' is unknown: choose of gnll, mse, huber"),
        ('--model.backbone=mit_b9', "no backbone 'mit_b9'"),
        ('--data.name=kitti360', "no data set 'kitti360'"),
        ('--data.options={"heigth": 32}', "unexpected keyword argument 'heigth'"),
        ('--model.drop_path_rate=2', 'drop_path_rate is 2.0: give a rate from 0 to 1'),
        ('--checkpoint_every=-1', 'checkpoint_every is -1: give a number of steps'),
        ('--trainer.accumulate_grad_batches=0', 'accumulate_grad_batches is 0: give at least 1'),
        ('--trainer.devices=0', 'devices'),
        ('--trainer.val_check_interval=0.5', '`val_check_interval` should be an integer'),
        ('--trainer.enable_checkpointing=false', '`enable_checkpointing=False`'),
        ('--trainer.max_time=soon', "'soon'"),
    ],
)
def test_a_wrong_option_is_named(option, message, arguments, tmp_path, capsys):
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}', option]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ')
    assert message in line


def test_a_number_of_epochs_is_no_end(arguments, tmp_path, capsys):
    options = ['--trainer.max_steps=-1', '--trainer.max_epochs=1', f'--output={tmp_path}']
    # A run that is not refused ends by this.
    options += ['--trainer.max_time=00:00:00:05']
    assert run(NetworkModule, '', [*arguments, *options]) == 1
    assert 'give --trainer.max_steps N' in capsys.readouterr().err
