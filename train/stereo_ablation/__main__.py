"""What confidence, cross-view terms and pseudo depth in the warp are worth, on synthetic pairs.

    python -m train.stereo_ablation --output DIR

Makes the pseudo labels, trains each task alone and from them every variant, and evaluates them.
What is there already is kept: stopped at any moment, the same command goes on where it stood, and
with --report writes what there is. DIR gets results.md with the tables, results.json with every
figure of every network, and the networks. What follows `--` is added to every training.
"""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from emu_model.processor import core_count
from train.reproduce.command import (
    add_scene_options,
    add_work_options,
    carry_out,
    run_command,
)
from train.reproduce.estimate import seconds_per_step
from train.reproduce.layout import Layout
from train.stereo.labelling import Labeller, Origins, label_pairs, missing
from train.stereo.pairs import open_pairs
from train.stereo_ablation.report import write_report
from train.stereo_ablation.settings import MAX_DISPARITY_PX, AblationSettings
from train.stereo_ablation.trials import make_plan

_DATA = 'synthetic'


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    return run_command(arguments, _parse, _main)


def _main(options: argparse.Namespace, further: list[str]) -> int:
    settings = AblationSettings(
        _DATA, options.root, (options.backbone,), options.scale, options.encoder_weights
    )
    settings.check()
    labels = Layout(options.output).root / 'pseudo_labels'
    plan = make_plan(settings, labels)
    return carry_out(
        options,
        further,
        settings,
        plan,
        seconds_per_step(settings),
        write_report,
        before=lambda: _make_labels(settings, labels),
    )


def _make_labels(settings: AblationSettings, folder: Path) -> None:
    source = open_pairs(settings.data, settings.root, 'train', **settings.pair_options())
    todo = len(missing(source, folder))
    labeller = Labeller(source, Origins(MAX_DISPARITY_PX))
    made = label_pairs(labeller, source, folder, core_count())
    for _ in track(made, 'labelling pairs', total=todo):
        pass


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.stereo_ablation',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_scene_options(parser)
    parser.add_argument('--backbone', default='mit_b0', help='encoder')
    parser.add_argument(
        '--encoder-weights',
        type=Path,
        metavar='DIR',
        help='folder with <backbone>.safetensors, as python -m emu_model.import_weights writes',
    )
    add_work_options(parser)
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
