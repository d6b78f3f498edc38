"""Two CPU processes over gloo, started by Lightning and by torchrun as a user starts them."""

import csv
import os
import signal
import subprocess
import sys

import pytest

import emu_model
from train.cli import run
from train.module import NetworkModule

STEPS = 3
VALIDATION_FRAMES = 3


TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']


def train_on_two_processes(arguments, output, launcher=()):
    command = [sys.executable, *launcher, '-m', 'train.fit', *arguments, f'--output={output}']
    command += ['--trainer.strategy=ddp', '--trainer.devices=2', f'--trainer.max_steps={STEPS}']
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        # The launcher's processes too, which wait for each other.
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, printed
    with (output / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    return [float(row['train/loss']) for row in rows if row['train/loss']]


@pytest.fixture
def arguments(arguments):
    # An odd number, so that one process has a frame more to validate on than the other.
    return [*arguments, f'--data.evaluation_options={{"count": {VALIDATION_FRAMES}}}']


def test_two_processes_train_as_one_does_on_both_shares_of_each_step(arguments, tmp_path):
    # Dropout's masks differ by process.
    arguments = [*arguments, '--model.dropout=0', '--model.drop_path_rate=0']
    logged = train_on_two_processes(arguments, tmp_path / 'two')

    shares = []

    class Recording(NetworkModule):
        def training_step(self, batch, batch_index):
            loss = super().training_step(batch, batch_index)
            shares.append(loss.item())
            return loss

    # Batch norm cannot be synchronised on CPUs; taking a share at a time, the oracle's is not.
    options = ['--trainer.accumulate_grad_batches=2', f'--trainer.max_steps={STEPS}']
    options.append(f'--output={tmp_path}/one')
    assert run(Recording, '', [*arguments, *options]) == 0

    means = [(first + second) / 2 for first, second in zip(shares[::2], shares[1::2])]
    # AdamW's first steps follow the sign of a gradient, rounding and all.
    assert logged == pytest.approx(means, rel=2e-3)

    two, one = (
        emu_model.load(tmp_path / name / 'network.safetensors').info for name in ('two', 'one')
    )
    for task in ('semantic', 'depth'):
        # Each frame was validated on once, by whichever process.
        assert two.validation[task]['pixels'] == one.validation[task]['pixels']


@pytest.mark.slow
def test_torchrun_trains_a_sub_ensemble_of_which_each_step_uses_one_part(arguments, tmp_path):
    options = ['--model.method=sub_ensemble', '--model.num_samples=2']
    logged = train_on_two_processes([*arguments, *options], tmp_path, TORCHRUN)
    assert len(logged) == STEPS
    assert emu_model.load(tmp_path / 'network.safetensors').info.num_samples == 2
