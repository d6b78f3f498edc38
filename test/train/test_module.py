"""What a run draws at random, and that a resumed one draws the same."""

import pytest
import torch

import emu_model
from train.cli import run
from train.module import NetworkModule


@pytest.fixture
def arguments(arguments):
    return [*arguments, '--model.poly_power=0', '--trainer.val_check_interval=2']


def seeds_of(arguments, monkeypatch):
    """{step: what the generator of dropout starts from in each batch of it}."""
    seeds = {}
    step = NetworkModule.training_step

    def training_step(self, *batch):
        seeds.setdefault(self.global_step, []).append(torch.initial_seed())
        return step(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkModule, 'training_step', training_step)
        assert run(NetworkModule, '', arguments) == 0
    return seeds


def test_no_two_batches_share_their_dropout(arguments, tmp_path, monkeypatch):
    arguments = [*arguments, '--trainer.max_steps=2', '--seed=5']
    plain = seeds_of([*arguments, f'--output={tmp_path}/plain'], monkeypatch)
    # What NumPy's SeedSequence makes of [5000, step, 0]; runs go on with what they began with.
    assert plain == {0: [2_965_418_603_264_756_085], 1: [7_278_054_337_268_336_836]}
    options = ['--trainer.accumulate_grad_batches=3', f'--output={tmp_path}/accumulated']
    accumulated = seeds_of([*arguments, *options], monkeypatch)
    assert {step: seeds[:1] for step, seeds in accumulated.items()} == plain
    assert [len(seeds) for seeds in accumulated.values()] == [3, 3]
    assert len({seed for seeds in accumulated.values() for seed in seeds}) == 6


def test_a_run_that_accumulates_gradients_is_resumed_as_if_nothing_had_been(arguments, tmp_path):
    arguments = [*arguments, '--trainer.accumulate_grad_batches=2', '--keep=last']
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    assert run(NetworkModule, '', [*arguments, f'--output={whole}', '--trainer.max_steps=4']) == 0
    for steps in (2, 4):
        (resumed / 'network.safetensors').unlink(missing_ok=True)
        options = [f'--output={resumed}', f'--trainer.max_steps={steps}']
        assert run(NetworkModule, '', [*arguments, *options]) == 0
    expected, found = (
        emu_model.load(output / 'network.safetensors').state_dict() for output in (whole, resumed)
    )
    torch.testing.assert_close(found, expected)
