"""Look whether a data set is as published: python -m train.data NAME ROOT [--every N].

Prints what was found in each split, and stops at the first file that cannot be used.
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rich.progress import track

from train.data import DATASETS, build, dataset_class
from train.data.dataset import DatasetError, FrameDataset
from train.data.sample import Sample
from train.errors import print_error


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if all frames looked at can be used."""
    parser = argparse.ArgumentParser(prog='python -m train.data', description=__doc__)
    parser.add_argument('name', choices=[name for name in DATASETS if name != 'synthetic'])
    parser.add_argument('root', type=Path, help='folder of the data set')
    parser.add_argument('--every', type=int, default=20, help='look at each N-th frame (20)')
    options = parser.parse_args(arguments)
    logging.basicConfig(format='%(message)s')
    try:
        _look_at(options.name, options.root, max(1, options.every))
    except (OSError, ValueError) as error:
        print_error(error)
        return 1
    return 0


def _look_at(name: str, root: Path, every: int) -> None:
    if not root.is_dir():
        raise DatasetError(
            f"'{root}' is no folder: give the one that holds the data set (docs/datasets.md shows "
            'the layout)'
        )
    for splits in _splits_by_frames(dataset_class(name).splits):
        dataset = build(name, root, splits[0])
        if not len(dataset):
            raise DatasetError(
                f"split '{splits[0]}' of '{name}' in '{root}' has no frames: look whether the "
                'list of its frames is empty (docs/datasets.md shows the layout)'
            )
        names = ' and '.join(splits)
        steps = track(range(0, len(dataset), every), f'{names} frames')
        print(f'{names}: {len(dataset)} frames')
        print(summary(dataset, (dataset.read_checked(index) for index in steps)))


def _splits_by_frames(published: Mapping[str, str]) -> list[list[str]]:
    """The splits of a data set; those that name the same frames together."""
    together = {}
    for split, name in published.items():
        together.setdefault(name, []).append(split)
    return list(together.values())


def summary(dataset: FrameDataset, samples: Iterable[Sample]) -> str:
    """A few lines on one or more frames of a data set: sizes, camera, labels and depth."""
    sizes, cameras = set(), set()
    frames = pixels = measured = 0
    counts = np.zeros(256, np.int64)
    nearest, farthest = np.inf, -np.inf
    for sample in samples:
        frames += 1
        sizes.add(f'{sample.size[0]}x{sample.size[1]}')
        cameras.add(round(sample.intrinsics.fx, 2))
        counts += np.bincount(sample.classes.ravel(), minlength=256)
        depth = sample.depth[sample.depth > 0]
        pixels += sample.depth.size
        measured += depth.size
        nearest = min(nearest, depth.min(initial=np.inf))
        farthest = max(farthest, depth.max(initial=-np.inf))
    known = counts[: len(dataset.labels)]
    absent = [name for name, count in zip(dataset.labels.class_names, known) if not count]
    return '\n'.join(
        [
            f'  looked at {frames} frames of {", ".join(sorted(sizes))} (height x width)',
            f'  focal length {min(cameras)} to {max(cameras)} px',
            f'  labelled {known.sum() / pixels:.1%} of the pixels, '
            f'{len(known) - len(absent)} of {len(known)} classes'
            + (f', none of {", ".join(absent)}' if absent else ''),
            f'  depth at {measured / pixels:.1%} of the pixels, {nearest:.3f} to {farthest:.3f} m',
        ]
    )


if __name__ == '__main__':
    sys.exit(main())
