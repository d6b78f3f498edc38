"""Learned weights against the closed forms of their gradient and optimum, and in training."""

import csv
import math
from pathlib import Path

import pytest
import torch

from emu_model.checkpoint import read_info
from train.cli import create_cli, run
from train.distillation import DistillationModule
from train.loss_weighting import FixedWeights, HomoscedasticWeights
from train.module import NetworkModule

TERMS = {'semantic': 1.7, 'depth': 0.02, 'instance': 12.0, 'kl': 0.4, 'rmsle': 0.9}
CLASSIFICATION = ('semantic', 'kl')
LEARNED = ('--model.loss_weighting=homoscedastic', '--model.depth_loss=l1')


def tensors(terms):
    return {name: torch.tensor(value, requires_grad=True) for name, value in terms.items()}


@pytest.mark.parametrize('names', [('semantic', 'depth'), ('semantic', 'depth', 'instance')])
def test_loss_and_gradients_are_the_closed_form(names):
    weighting = HomoscedasticWeights(names)
    terms = tensors({name: TERMS[name] for name in names})
    s = {'semantic': 0.3, 'depth': -2.0, 'instance': 1.1}
    with torch.no_grad():
        for name in names:
            weighting.log_variance[name].fill_(s[name])
    total = weighting(terms)
    total.backward()
    expected = 0.0
    for name in names:
        half = 1.0 if name in CLASSIFICATION else 0.5
        weight = half * math.exp(-s[name])
        expected += weight * TERMS[name] + 0.5 * s[name]
        assert terms[name].grad.item() == pytest.approx(weight, rel=1e-6)
        gradient = 0.5 - weight * TERMS[name]
        assert weighting.log_variance[name].grad.item() == pytest.approx(gradient, rel=1e-5)
        assert weighting.weights()[name].item() == pytest.approx(weight, rel=1e-6)
    assert total.item() == pytest.approx(expected, rel=1e-6)


def test_for_constant_losses_s_goes_to_their_logarithm():
    weighting = HomoscedasticWeights(TERMS)
    optimizer = torch.optim.LBFGS(weighting.parameters(), max_iter=100, tolerance_grad=1e-9)
    terms = {name: torch.tensor(value) for name, value in TERMS.items()}

    def closure():
        optimizer.zero_grad()
        loss = weighting(terms)
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    for name, s in weighting.log_variances().items():
        optimum = math.log((2 if name in CLASSIFICATION else 1) * TERMS[name])
        assert s.item() == pytest.approx(optimum, abs=1e-3), name


def test_fixed_weights_are_the_weighted_sum():
    terms = {name: torch.tensor(value) for name, value in TERMS.items()}
    weighting = FixedWeights({'depth': 3.0, 'instance': 0.5})
    expected = 1.7 + 3 * 0.02 + 0.5 * 12 + 0.4 + 0.9
    assert weighting(terms).item() == pytest.approx(expected)
    assert not list(weighting.parameters())


def rows(folder, key):
    with (folder / 'metrics.csv').open() as file:
        found = [(int(row['step']), row.get(key)) for row in csv.DictReader(file)]
    return {step: float(value) for step, value in found if value}


def test_learned_weights_are_logged_and_resumed_and_stand_in_the_checkpoint(arguments, tmp_path):
    three = [*arguments, *LEARNED, '--model.network=SegDepthInstanceFormer']
    three += ['--trainer.max_steps=6', '--model.depth_target=inverse']
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    assert run(NetworkModule, '', [*three, f'--output={whole}']) == 0
    step = NetworkModule.training_step

    def stop(self, batch, batch_index):
        if self.global_step == 3:
            raise KeyboardInterrupt
        return step(self, batch, batch_index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkModule, 'training_step', stop)
        assert run(NetworkModule, '', [*three, f'--output={stopped}']) == 130
    assert run(NetworkModule, '', [*three, f'--output={stopped}']) == 0
    for key in (
        'train/loss',
        *(f'train/log_variance/{t}' for t in ('semantic', 'depth', 'instance')),
    ):
        expected, resumed = rows(whole, key), rows(stopped, key)
        assert sorted(expected) == sorted(resumed) == list(range(6))
        assert resumed == pytest.approx(expected, rel=1e-6)
    training = read_info(stopped / 'network.safetensors').training
    assert training['loss_weighting'] == 'homoscedastic'
    learned = training['loss_log_variances']
    assert set(learned) == {'semantic', 'depth', 'instance'}
    for name, s in learned.items():
        assert s != 0
        half = 1.0 if name == 'semantic' else 0.5
        assert training['loss_weights'][name] == pytest.approx(half * math.exp(-s), rel=1e-5)
    # The terms and s of a step make its loss.
    at = 4
    s = {t: rows(whole, f'train/log_variance/{t}')[at] for t in learned}
    total = sum(
        (1 if t == 'semantic' else 0.5) * math.exp(-s[t]) * rows(whole, f'train/{t}')[at]
        + 0.5 * s[t]
        for t in learned
    )
    assert rows(whole, 'train/loss')[at] == pytest.approx(total, rel=1e-5)


def test_learned_weights_are_a_group_of_their_own_that_does_not_decay(arguments, tmp_path):
    options = [*LEARNED, '--model.weighting_learning_rate=0.5', f'--output={tmp_path}']
    cli = create_cli(NetworkModule, '', [*arguments, *options, '--trainer.max_steps=1'])
    cli.trainer.fit(cli.model, cli.datamodule)
    group = cli.trainer.optimizers[0].param_groups[-1]
    assert group['initial_lr'] == 0.5
    assert group['weight_decay'] == 0
    learned = list(cli.model.weighting.parameters())
    assert {id(p) for p in group['params']} == {id(p) for p in learned}
    # Adam's first step is the learning rate.
    assert [abs(p.item()) for p in learned] == pytest.approx([0.5, 0.5], rel=1e-4)


def test_a_student_weighs_its_teacher_too(arguments, trained, tmp_path):
    options = [
        *LEARNED,
        f'--model.teacher={trained}',
        f'--model.initial_weights={trained}',
        f'--output={tmp_path}',
        '--trainer.max_steps=1',
    ]
    assert run(DistillationModule, '', [*arguments, *options]) == 0
    learned = read_info(tmp_path / 'network.safetensors').training['loss_weights']
    assert set(learned) == {'semantic', 'depth', 'kl', 'rmsle'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            LEARNED[:1],
            "cannot weight the depth_loss 'gnll', which can be negative and has no lower",
        ),
        (('--model.loss_weighting=best',), "loss_weighting 'best' is unknown: choose of fixed"),
        (('--model.depth_target=inverse',), "not trained with depth_loss 'gnll': choose l1"),
        (('--model.depth_target=far',), "depth_target 'far' is unknown: choose of depth, inverse"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message, arguments, tmp_path, capsys):
    assert run(NetworkModule, '', [*arguments, *options, f'--output={tmp_path}']) == 1
    assert message in capsys.readouterr().err


def test_without_a_depth_head_its_loss_does_not_matter(arguments, tmp_path):
    options = ['--model.network=SegInstanceFormer', LEARNED[0], f'--output={tmp_path}']
    assert run(NetworkModule, '', [*arguments, *options, '--trainer.max_steps=1']) == 0
    info = read_info(Path(tmp_path) / 'network.safetensors')
    assert set(info.training['loss_weights']) == {'semantic', 'instance'}
    assert info.validation['instance']['offset_error'] > 0
    assert info.things == (8, 9, 14)
