"""Prints how many synthetic frames per second one core makes.

    OMP_NUM_THREADS=1 python benchmarks/scenes.py

Every frame is a scene of its own, as in training; a drive is through one scene, as in the demo.
Memory that is freed is kept, as in training.
"""

import argparse
import itertools
import time
from collections.abc import Iterator

import numpy as np

from emu_model import scenes
from emu_model.memory import keep_freed_memory
from emu_model.processor import core_count, processor_name

SIZES = ((96, 128), (240, 320), (480, 640))


def frames_per_second(frames: Iterator[scenes.Frame], seconds: float) -> float:
    """Frames made per second of processor time, from at least this many seconds of it."""
    next(frames)
    start = time.process_time()
    for count, _ in enumerate(frames, 1):
        elapsed = time.process_time() - start
        if elapsed > seconds:
            return count / elapsed
    raise ValueError('the frames ended before the time was over: pass an endless iterator')


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=3.0, help='per line (default: 3)')
    options = parser.parse_args()
    keep_freed_memory()
    print(f'NumPy {np.__version__}, {core_count()} cores of {processor_name()}')
    print(f'{"kind":8} {"size (HxW)":12} {"scenes/s":>9} {"drive frames/s":>15}')
    for kind, (height, width) in itertools.product(scenes.KINDS, SIZES):
        single = (scenes.render(kind, seed, height, width) for seed in itertools.count())
        drive = scenes.drive(kind, 0, 1 << 30, 30.0, height, width)
        rates = [frames_per_second(frames, options.seconds) for frames in (single, drive)]
        print(f'{kind:8} {f"{height}x{width}":12} {rates[0]:9.1f} {rates[1]:15.1f}')


if __name__ == '__main__':
    main()
