"""Evaluate a checkpoint: python -m train.evaluate CHECKPOINT --data NAME --root DIR --output FILE.

CHECKPOINT is a file, or the folder of an ensemble. FILE is JSON; docs/evaluation.md describes its
keys. With --shifts, the same frames under each shift (synthetic scenes only) tell how well
uncertainty gives shifted frames away.
"""

import argparse
import sys
from pathlib import Path

from train.arguments import data_options
from train.data import DATASETS
from train.errors import INTERRUPTED, print_error
from train.evaluation import EvaluationData, evaluate_checkpoint
from train.files import write_json


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    options = _parse(arguments)
    data = EvaluationData(
        options.data,
        options.root,
        options.split,
        options.data_options,
        options.shifts,
        batch_size=options.batch_size,
        workers=options.workers,
        eigen=options.eigen,
    )
    try:
        content, _ = evaluate_checkpoint(options.checkpoint, data, options.size, options.device)
        write_json(options.output, content)
    except (OSError, ValueError, RuntimeError) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        print('stopped: nothing was written')
        return INTERRUPTED
    print(f'wrote {options.output}')
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.evaluate',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('checkpoint', type=Path, help='file, or folder of an ensemble')
    parser.add_argument('--data', choices=sorted(DATASETS), required=True, help='data set')
    parser.add_argument('--root', type=Path, help='folder of the data set')
    parser.add_argument(
        '--data-options',
        type=data_options,
        default={},
        metavar='JSON',
        help='further options of the data set, such as {"count": 200}',
    )
    parser.add_argument('--split', default='test', help='split to evaluate on')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size to evaluate at; the checkpoint's by default, each frame's own if it has none",
    )
    parser.add_argument(
        '--shifts', nargs='*', default=[], help='shifts to tell from normal frames'
    )
    parser.add_argument(
        '--eigen',
        action='store_true',
        help="compare at each frame's own size, and report depth as papers on KITTI do as well",
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=8,
        help='frames at a time; one by one where they keep their size',
    )
    parser.add_argument('--workers', type=int, default=2, help='processes that read frames')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu', 'cuda' or 'cuda:N'")
    parser.add_argument('--output', type=Path, required=True, help='JSON file to write')
    options = parser.parse_args(arguments)
    options.size = tuple(options.size) if options.size else None
    return options


if __name__ == '__main__':
    sys.exit(main())
