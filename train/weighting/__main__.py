"""Compare fixed and learned task weights (Kendall et al. 2018), on one data set.

    python -m train.weighting --data synthetic --output DIR

Trains each task alone, all three with equal weights, with a grid of fixed weights and with
learned ones, and every two of them with learned ones. What is there already is kept: stopped at
any moment, the same command goes on where it stood, and with --report writes what there is. DIR
gets results.md with tables and figures, results.json with every figure of every network, and the
networks. What follows `--` is added to every training, as in: -- --data.workers 8
"""

import argparse
import sys

from train.reproduce.command import (
    add_data_options,
    add_scale_option,
    add_work_options,
    carry_out,
    run_command,
)
from train.reproduce.estimate import seconds_per_unit
from train.weighting.report import write_report
from train.weighting.settings import SCALES, WeightingSettings
from train.weighting.trials import make_plan


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    return run_command(arguments, _parse, _main)


def _main(options: argparse.Namespace, further: list[str]) -> int:
    settings = WeightingSettings(
        options.data, options.root, (options.backbone,), options.scale, options.encoder_weights
    )
    settings.check()
    return carry_out(
        options, further, settings, make_plan(settings), seconds_per_unit(), write_report
    )


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.weighting',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data_options(parser, list(SCALES))
    parser.add_argument('--backbone', default='mit_b0', help='encoder')
    add_scale_option(parser)
    add_work_options(parser)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
