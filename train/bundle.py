"""Train the checkpoint that comes with the package: python -m train.bundle --output DIR.

An EMUFormer-B0 on synthetic street and indoor scenes: an encoder is trained on small frames, four
networks from it at twice the resolution, and a student of their ensemble. What is there already in
DIR is kept: stopped at any moment, the same command goes on where it stood. DEST, the bundled file
by default, gets the student in half precision with its figures. What follows `--` is added to
every training.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import BUNDLED
from train.evaluation import EvaluationData
from train.reproduce.command import add_work_options, carry_out, run_command
from train.reproduce.estimate import training_cost
from train.reproduce.layout import Layout
from train.reproduce.plan import Model, Plan, Run
from train.reproduce.progress import Progress
from train.reproduce.scale import Scale
from train.reproduce.settings import Settings

_NETWORK, _BACKBONE = 'SegDepthFormer', 'mit_b0'
_ENCODER, _ENSEMBLE, _STUDENT = 'encoder', 'ensemble', 'student'
_SECONDS_PER_UNIT = 0.25  # on one CPU core
_LARGE = 4.0
"""Cost of a frame of the later stages, where one of the first is 1."""


@dataclass(frozen=True)
class BundleSettings(Settings):
    """Everything that decides what the bundled checkpoint becomes."""

    scales: ClassVar[Mapping[str, Mapping[str, Scale]]] = {
        'synthetic': {
            'full': Scale(members=4, test_frames=200),
            'quick': Scale(
                members=2,
                steps=2,
                student_steps=2,
                pretrain_steps=2,
                frame_size=(32, 48),
                train_frames=8,
                validation_frames=2,
                test_frames=2,
                resamples=10,
            ),
        }
    }

    @property
    def config(self) -> str:
        """The configuration of the data, below train/configs."""
        return 'bundled/member'

    def test_data(self, variant: str = '') -> EvaluationData:
        """The frames that figures are reported on."""
        return replace(super().test_data(variant), shifts=())


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    return run_command(arguments, _parse, _main)


def make_plan(settings: Settings) -> Plan:
    """The encoder, the members of the teacher, and the student, with what is evaluated.

    Args:
        settings: How large they are made.
    """
    scale = settings.scale
    members = tuple(f'member-{k}' for k in range(scale.members))
    runs = [
        _run(settings, _ENCODER, 'fit', scale.pretrain_steps or None, {}, cost=1.0),
        *(
            _run(
                settings,
                member,
                'fit',
                scale.steps,
                {'model.encoder_weights': _ENCODER},
                f'--member={number}',
                cost=_LARGE,
            )
            for number, member in enumerate(members)
        ),
        _run(
            settings,
            _STUDENT,
            'distill',
            scale.student_steps,
            {'model.initial_weights': members[0], 'model.teacher': _ENSEMBLE},
            cost=_LARGE,
        ),
    ]
    model = partial(Model, network=_NETWORK, backbone=_BACKBONE)
    models = (
        model(members[0], method='single'),
        model(_ENSEMBLE, method='ensemble', members=members),
        model(_STUDENT, method='emuformer'),
    )
    return Plan({run.name: run for run in runs}, models)


def _run(
    settings: Settings,
    name: str,
    command: str,
    wanted_steps: int | None,
    starts_from: Mapping[str, str],
    *options: str,
    cost: float,
) -> Run:
    configs = (f'bundled/{name.partition("-")[0]}.yaml',)
    steps = settings.steps(configs, wanted_steps)
    if wanted_steps is not None:
        options += (f'--trainer.max_steps={steps}', f'--trainer.val_check_interval={steps}')
    teachers = settings.scale.members if command == 'distill' else 0
    cost *= training_cost(settings, _NETWORK, _BACKBONE, steps, teachers=teachers)
    return Run(
        name, command, configs, (*settings.data_options(), *options), starts_from, steps, cost
    )


def _main(options: argparse.Namespace, further: list[str]) -> int:
    settings = BundleSettings('synthetic', options.root, (_BACKBONE,), options.scale)
    settings.check()
    guess = None if torch.cuda.is_available() else _SECONDS_PER_UNIT
    write = partial(_write, options.dest)
    return carry_out(options, further, settings, make_plan(settings), guess, write)


def _write(dest: Path, layout: Layout, settings: Settings, plan: Plan, progress: Progress) -> Path:
    network = emu_model.load(layout.network(_STUDENT))
    checkpoint.save(network, network.info, dest, half=True)
    return dest


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.bundle',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--dest', type=Path, default=BUNDLED, help='checkpoint to write')
    parser.add_argument('--root', type=Path, help='where rendered scenes are kept')
    parser.add_argument(
        '--scale',
        choices=list(BundleSettings.scales['synthetic']),
        default='full',
        help='quick to see that everything works',
    )
    add_work_options(parser)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
