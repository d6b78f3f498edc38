"""Make pseudo labels of stereo pairs: python -m train.pseudo_labels --data NAME --output DIR.

Disparity comes from semi-global matching, or with --disparities from files made by any stereo
network; its confidence from left-right consistency and matching margin; class ids of views that
have no published ones from files (--labels) or from a checkpoint (--teacher). DIR gets a file for
each pair. Stopped at any moment, the same command goes on where it stood. train.fit_stereo trains
on DIR; docs/training.md shows how.
"""

import argparse
import sys
from pathlib import Path

import cv2
from rich.progress import track

from emu_model.processor import core_count
from train.arguments import data_options
from train.errors import INTERRUPTED, print_error
from train.stereo.labelling import (
    Labeller,
    Origins,
    check_kept,
    describe,
    keep_meta,
    label_pairs,
    missing,
    unlabelled_views,
)
from train.stereo.pairs import PAIR_SOURCES, open_pairs


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    options = _parse(arguments)
    try:
        return _main(options)
    except (OSError, ValueError) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        print('stopped: the same command goes on from there')
        return INTERRUPTED


def _main(options: argparse.Namespace) -> int:
    origins = Origins(
        options.max_disparity,
        options.disparities,
        options.labels,
        options.teacher,
        options.device,
    )
    source = open_pairs(options.data, options.root, options.split, **options.data_options)
    labeller = Labeller(source, origins)
    meta = describe(options.data, options.split, options.data_options, origins)
    check_kept(source, options.output, meta)
    keep_meta(options.output, meta)
    for view in unlabelled_views(source, origins):
        print(f'{view} views get no class ids: give --labels or --teacher to have some')
    todo = len(missing(source, options.output))
    if todo < len(source):
        print(f'{len(source) - todo} of {len(source)} pairs are labelled already')
    cv2.setNumThreads(1)  # pairs are done side by side instead
    made = label_pairs(labeller, source, options.output, options.workers)
    for _ in track(made, 'labelling pairs', total=todo):
        pass
    print(f'{options.output} has pseudo labels of {len(source)} pairs')
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.pseudo_labels',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', choices=sorted(PAIR_SOURCES), required=True, help='data set')
    parser.add_argument('--root', type=Path, help='folder of the data set')
    parser.add_argument('--split', default='train', help='split whose pairs are labelled')
    parser.add_argument(
        '--data-options',
        type=data_options,
        default={},
        metavar='JSON',
        help='further options of the pairs, such as {"rows": 768}; train with the same',
    )
    parser.add_argument(
        '--max-disparity', type=int, default=192, help='largest disparity in pixels (192)'
    )
    parser.add_argument(
        '--disparities',
        type=Path,
        metavar='DIR',
        help='left/KEY and right/KEY, as .png (16 bit, 1/256 pixel, 0 = none) or .npy (pixels)',
    )
    parser.add_argument(
        '--labels',
        type=Path,
        metavar='DIR',
        help='left/KEY.png and right/KEY.png, 8 bit class ids, 255 = none',
    )
    parser.add_argument('--teacher', type=Path, help='checkpoint that predicts class ids')
    parser.add_argument('--device', default='auto', help="of the teacher: 'auto', 'cpu', 'cuda:N'")
    parser.add_argument(
        '--workers', type=int, default=core_count(), help='pairs at a time (one per core)'
    )
    parser.add_argument('--output', type=Path, required=True, help='folder of the labels')
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
