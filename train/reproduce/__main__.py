"""Train and evaluate everything in the EMUFormer paper, and write its tables.

    python -m train.reproduce --data synthetic --backbone mit_b0 --output DIR

What is there already is kept: stopped at any moment, the same command goes on where it stood, and
with --report writes what there is.
DIR gets results.md with the tables, the paper's claims and figures, results.json with every figure
of every network, tables.json, and the networks themselves. What follows `--` is added to the
command line of every training run, as in: -- --data.workers 8 --trainer.accelerator gpu
"""

import argparse
import sys

from train.reproduce.command import (
    add_data_options,
    add_work_options,
    carry_out,
    run_command,
)
from train.reproduce.estimate import seconds_per_step
from train.reproduce.layout import Layout
from train.reproduce.planner import make_plan
from train.reproduce.report import write_report
from train.reproduce.scale import SCALES
from train.reproduce.settings import STUDIES, Settings
from train.reproduce.timing import are_timed, time_models


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    return run_command(arguments, _parse, _main)


def _main(options: argparse.Namespace, further: list[str]) -> int:
    settings = Settings(
        options.data,
        options.root,
        tuple(dict.fromkeys(options.backbone)),
        options.scale,
        options.encoder_weights,
        tuple(options.studies),
        options.seeds,
    )
    settings.check()
    layout = Layout(options.output)
    plan = make_plan(settings)

    def time_what_is_not() -> None:
        models = [model for model in plan.models if not model.variant]
        if not are_timed(layout, models):
            time_models(layout, models, options.device)

    guess = seconds_per_step(settings)
    return carry_out(options, further, settings, plan, guess, write_report, after=time_what_is_not)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.reproduce',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser, list(SCALES))
    parser.add_argument(
        '--backbone',
        nargs='+',
        default=['mit_b2'],
        help='encoders; the first is studied in full, further ones as baseline, teacher, student',
    )
    parser.add_argument(
        '--scale',
        choices=('quick', 'full', 'large'),
        default='full',
        help='full for results, quick to see that everything works, large (synthetic alone) for '
        'a GPU',
    )
    parser.add_argument(
        '--studies',
        nargs='+',
        choices=STUDIES,
        default=STUDIES,
        help='what to study: student (tables 4 to 7), ablation (9, 10), grid (1 to 3)',
    )
    parser.add_argument(
        '--seeds', type=int, help='repetitions of baseline, fine-tuned baseline and student'
    )
    add_work_options(parser)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
