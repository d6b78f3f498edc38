"""Compares the ways to group votes into instances: precision, and milliseconds of a frame.

    python benchmarks/grouping.py                      # true classes and offsets, with noise
    python benchmarks/grouping.py --checkpoint FILE    # what a network makes of the frames
    python benchmarks/grouping.py --bandwidth 1 2 4    # other bandwidths than the default, pixels

Frames are synthetic scenes of the test split. The noise of the offsets is Gaussian, and smooth
over some pixels as a network's errors are.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emu_model import scenes
from emu_model.engines import Engine, create_engine
from emu_model.grouping import GROUPINGS, centroid_offsets, default_bandwidth
from emu_model.metrics import InstancePrecision
from train.data.scene_set import SceneSet

THINGS = tuple(scenes.LABELS.id(thing) for thing in scenes.THINGS)
_SMOOTH_PX = 4.0


@dataclass(frozen=True)
class Votes:
    """What is grouped: classes, their confidence, and offsets to the right and down."""

    classes: np.ndarray
    confidence: np.ndarray
    offset_x: np.ndarray
    offset_y: np.ndarray


def main() -> None:
    """Command line."""
    options = _parse()
    size = tuple(options.size)
    scene_set = SceneSet('test', *size, focal_length_px=0.9 * size[1])
    frames = [scene_set.render(index) for index in range(options.frames)]
    bandwidths = options.bandwidth or [round(default_bandwidth(size), 2)]
    rows = []
    print(f'{"votes":22} {"grouping":9} {"bandwidth":>9} {"AP":>6} {"AP50":>6} {"ms":>8}')
    for name, votes in _sources(options, frames):
        for grouping, bandwidth in itertools.product(GROUPINGS, bandwidths):
            row = measure(frames, votes, grouping, bandwidth, options.least_pixels)
            rows.append({'votes': name, **row})
            print(
                f'{name:22} {grouping:9} {bandwidth:9.2f} {row["ap"]:6.3f} {row["ap50"]:6.3f} '
                f'{row["median_ms"]:8.1f}'
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + '\n')


def measure(
    frames: list[scenes.Frame],
    votes: list[Votes],
    grouping: str,
    bandwidth: float,
    least_pixels: int,
) -> dict:
    """Precision over all frames and the median time of one."""
    metric = InstancePrecision(THINGS, least_pixels=least_pixels)
    times = []
    for frame, vote in zip(frames, votes):
        start = time.perf_counter()
        found = GROUPINGS[grouping](
            vote.classes, vote.offset_x, vote.offset_y, THINGS, bandwidth_px=bandwidth
        )
        times.append(1e3 * (time.perf_counter() - start))
        metric.update(found, vote.classes, vote.confidence, frame.instances, frame.classes)
    figures = metric.compute()
    return {
        'grouping': grouping,
        'bandwidth_px': bandwidth,
        'ap': figures['ap'].item(),
        'ap50': figures['ap50'].item(),
        'median_ms': float(np.median(times)),
    }


def _sources(
    options: argparse.Namespace, frames: list[scenes.Frame]
) -> Iterator[tuple[str, list[Votes]]]:
    if options.checkpoint is not None:
        engine = create_engine(options.checkpoint, network_size=tuple(options.size))
        yield 'network', [_predicted(engine, frame) for frame in frames]
        return
    for noise_px in options.noise:
        rng = np.random.default_rng(0)
        yield f'truth, noise {noise_px:g} px', [_true(frame, noise_px, rng) for frame in frames]


def _predicted(engine: Engine, frame: scenes.Frame) -> Votes:
    maps = engine.predict(frame.image, ('classes', 'confidence', 'offset_x', 'offset_y'))
    return Votes(maps.classes, maps.confidence, maps.offset_x, maps.offset_y)


def _true(frame: scenes.Frame, noise_px: float, rng: np.random.Generator) -> Votes:
    offsets = centroid_offsets(frame.instances)
    for offset in offsets:
        noise = cv2.GaussianBlur(rng.standard_normal(offset.shape), (0, 0), _SMOOTH_PX)
        offset += (noise_px / noise.std() * noise).astype(np.float32)
    sure = np.ones(frame.classes.shape, np.float32)
    return Votes(frame.classes, sure, *offsets)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--checkpoint', type=Path, help='a network with classes and offsets')
    parser.add_argument('--frames', type=int, default=24, help='synthetic frames (24)')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(128, 256), metavar=('HEIGHT', 'WIDTH')
    )
    parser.add_argument(
        '--noise', type=float, nargs='+', default=(0, 1, 2, 4), help='of the offsets, pixels'
    )
    parser.add_argument('--bandwidth', type=float, nargs='+', help='pixels')
    parser.add_argument(
        '--least-pixels', type=int, default=20, help='smaller objects are left out (20)'
    )
    parser.add_argument('--json', type=Path, help='file to write')
    return parser.parse_args()


if __name__ == '__main__':
    main()
