"""Runs of a plan, started as a user starts them."""

import gc
import subprocess
import sys
from collections.abc import Sequence

from train import cli
from train.distillation import DistillationModule
from train.module import NetworkModule
from train.reproduce.layout import Layout
from train.reproduce.plan import Run
from train.reproduce.settings import CONFIGS
from train.stereo.module import StereoModule

_MODULES = {'fit': NetworkModule, 'distill': DistillationModule, 'fit_stereo': StereoModule}

_SEVERAL_PROCESSES = ('--trainer.devices', '--trainer.num_nodes')

# What a run goes on from; a finished one never does, and it is four times the network's size.
_TRAINING_STATE = ('best.ckpt', 'last.ckpt')


def train(layout: Layout, run: Run, further: Sequence[str]) -> int:
    """Train a network, or go on training it.

    It happens in this process, which is quicker to start. Lightning starts further processes by
    the command line of the first, so several devices need a process of their own.

    Args:
        layout: The experiment's folder, with what the run starts from.
        run: The run.
        further: Command line that is added to every run.

    Returns:
        The exit code, as of train.cli.run.
    """
    arguments = command_line(layout, run, further)
    if any(argument.startswith(_SEVERAL_PROCESSES) for argument in further):
        command = [sys.executable, '-m', f'train.{run.command}', *arguments]
        code = subprocess.run(command, check=False).returncode
    else:
        code = cli.run(_MODULES[run.command], '', arguments)
        gc.collect()
    if code == 0:
        for name in _TRAINING_STATE:
            (layout.run(run.name) / name).unlink(missing_ok=True)
    return code


def command_line(layout: Layout, run: Run, further: Sequence[str] = ()) -> list[str]:
    """Arguments of the train.* that makes a run."""
    starts = {option: layout.checkpoint(model) for option, model in run.starts_from.items()}
    return [
        *(f'--config={CONFIGS / config}' for config in run.configs),
        '--trainer.devices=1',
        '--trainer.num_sanity_val_steps=0',
        *run.options,
        *(f'--{option}={path}' for option, path in starts.items()),
        *further,
        f'--output={layout.run(run.name)}',
    ]
