"""Train the checkpoint that comes with the package: python -m train.bundle --output DIR.

An EMUFormer-B0 on synthetic street and indoor scenes: an encoder is trained on small frames, four
networks from it at twice the resolution, and a student of their ensemble. What is there already in
DIR is kept: stopped at any moment, the same command goes on where it stood. DIR gets results.md,
the figures of a member, the ensemble and the student; DEST gets the student in half precision.
What follows `--` is added to every training.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import BUNDLED
from train.files import write_text
from train.reproduce.command import (
    add_scene_options,
    add_work_options,
    carry_out,
    run_command,
)
from train.reproduce.estimate import evaluation_cost, seconds_per_step, training_cost
from train.reproduce.evaluations import Result, load_results
from train.reproduce.layout import Layout
from train.reproduce.plan import Model, Plan, Run
from train.reproduce.progress import Progress
from train.reproduce.scale import Scale
from train.reproduce.settings import Settings
from train.reproduce.table import Column, Row, Table

COLUMNS = (
    Column('mIoU ↑', 'semantic.miou'),
    Column('ECE ↓', 'semantic.ece'),
    Column('RMSE, m ↓', 'depth.rmse'),
    Column('AUSE, m ↓', 'depth.ause'),
)

_NETWORK, _BACKBONE = 'SegDepthFormer', 'mit_b0'
_ENCODER, _ENSEMBLE, _STUDENT = 'encoder', 'ensemble', 'student'
_MEMBER = 'bundled/member.yaml'
_LICENCE = 'Apache-2.0'  # the package's
_CONFIGS = {
    _ENCODER: ('bundled/encoder.yaml',),
    _STUDENT: (
        _MEMBER,
        'method/emuformer.yaml',
        'student/synthetic.yaml',
        'teacher/synthetic.yaml',
    ),
}
"""By name of the run; that of a member for all others."""

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
    shifts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @property
    def config(self) -> str:
        """The configuration of the data, below train/configs."""
        return 'bundled/member'


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
    models = (
        _model(settings, members[0], 'single'),
        _model(settings, _ENSEMBLE, 'ensemble', members),
        _model(settings, _STUDENT, 'emuformer'),
    )
    return Plan({run.name: run for run in runs}, models)


def _model(settings: Settings, name: str, method: str, members: tuple[str, ...] = ()) -> Model:
    cost = _LARGE * evaluation_cost(settings, _BACKBONE, max(1, len(members)))
    return Model(name, _NETWORK, _BACKBONE, method, members=members, cost=cost)


def _run(
    settings: Settings,
    name: str,
    command: str,
    wanted_steps: int | None,
    starts_from: Mapping[str, str],
    *options: str,
    cost: float,
) -> Run:
    configs = _CONFIGS.get(name, (_MEMBER,))
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
    # A toy must not take the place of the checkpoint that users get.
    usual = BUNDLED if options.scale == 'full' else options.output / 'student_half.safetensors'
    write = partial(_write, options.dest or usual)
    guess = seconds_per_step(settings)
    return carry_out(options, further, settings, make_plan(settings), guess, write)


def _write(dest: Path, layout: Layout, settings: Settings, plan: Plan, progress: Progress) -> str:
    """Write the figures there are, and the student once it is evaluated."""
    results = load_results(layout, plan.models)
    figures = layout.root / 'results.md'
    write_text(figures, f'{_figures_table(settings, results).markdown()}\n')
    if _STUDENT not in {result.model.name for result in results}:
        return str(figures)
    network = emu_model.load(layout.network(_STUDENT))
    # Whoever gets the file has no use for folders of the machine that made it.
    training = {
        key: value.removeprefix(f'{layout.root}/') if isinstance(value, str) else value
        for key, value in network.info.training.items()
    }
    info = replace(network.info, training=training, licence=_LICENCE)
    checkpoint.save(network, info, dest, half=True)
    return f'{figures} and {dest}'


def _figures_table(settings: Settings, results: Sequence[Result]) -> Table:
    rows = []
    for result in results:
        values = tuple(result.figure(column.key) for column in COLUMNS)
        rows.append(Row(result.model.name, values, (None,) * len(values)))
    title = f'The bundled checkpoint on {settings.scale.test_frames} test scenes'
    return Table(title, COLUMNS, tuple(rows))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.bundle',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--dest',
        type=Path,
        help='checkpoint to write; by default the bundled file, or one in DIR with --scale quick',
    )
    add_scene_options(parser)
    add_work_options(parser)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
