"""Prints how much of the engine's own throughput an evaluation of a bag reaches.

    python benchmarks/bag_evaluation.py --json FILE

A bag of 640x480 frames is evaluated with a random MiT-B2 checkpoint with both heads: maps off,
maps on, and against ground truth. The engine's own throughput is that of a loop over frames in
memory that asks for the same maps. Each of the three is measured right after a loop of its own, so
that a machine whose speed drifts does not favour one of them. The time of an evaluation is from
its first frame to its last; start-up, the look through the bag and the report are apart.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from emu_model import checkpoint, scenes
from emu_model.checkpoint import CheckpointInfo
from emu_model.networks import SegDepthFormer
from emu_model.processor import core_count, processor_name
from emuformer_ros.bag_evaluation.options import NO_TOPIC, Options
from emuformer_ros.bag_evaluation.part_store import PartStore
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import divide, plan_bags
from emuformer_ros.bag_evaluation.running import evaluate_parts
from emuformer_ros.synthetic_drive import Drive, write_drive

SIZE = (480, 640)
_WARM_UP_FRAMES = 3


def main() -> None:
    """Command line."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), options)
    print(f'{core_count()} cores of {processor_name()}, {results["engine"]}')
    for name, found in results['evaluations'].items():
        print(
            f'{name:14} {found["frames_per_second"]:7.2f} frames/s, engine alone '
            f'{found["engine_frames_per_second"]:7.2f}: {100 * found["share"]:5.1f} %'
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Throughput in frames per second of the engine and of evaluations."""
    weights = folder / 'b2.safetensors'
    _write_checkpoint(weights, options.backbone)
    write_drive(folder / 'bag', Drive(frames=options.frames, height=SIZE[0], width=SIZE[1]))
    evaluations = {
        'maps off': {'write_maps': False, 'depth_topic': NO_TOPIC, 'label_topic': NO_TOPIC},
        'maps on': {'depth_topic': NO_TOPIC, 'label_topic': NO_TOPIC},
        'ground truth': {'write_maps': False},
    }
    results: dict = {'evaluations': {}}
    for name, changes in evaluations.items():
        evaluated = Options(
            (folder / 'bag',), checkpoint=weights, engine=options.engine,
            precision=options.precision, **changes,
        )  # fmt: skip
        perception = Perception(evaluated)
        engine = perception.engine
        results['engine'] = f'{engine.name} on {engine.device} in {engine.precision}'
        alone = _engine_alone(perception, options.frames)
        together = _evaluation(perception, evaluated, folder / name.replace(' ', '_'))
        results['evaluations'][name] = {
            'frames_per_second': together,
            'engine_frames_per_second': alone,
            'share': together / alone,
        }
        perception.close()
    return {
        **results,
        'backbone': options.backbone,
        'frames': options.frames,
        'size': list(SIZE),
        'cpus': core_count(),
        'machine': processor_name(),
    }


def _engine_alone(perception: Perception, frames: int) -> float:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, *SIZE, 3), np.uint8)
    for index in range(_WARM_UP_FRAMES):
        perception.engine.predict(images[index][None])
    with _timed() as seconds:
        for index in range(frames):
            perception.engine.predict(images[index % len(images)][None])
    return frames / seconds[0]


def _evaluation(perception: Perception, options: Options, folder: Path) -> float:
    folder.mkdir()
    store = PartStore(folder)
    store.folder.mkdir()
    bags = plan_bags(options, folder)
    parts = list(divide(bags))
    with _timed() as seconds:
        for part, measured in evaluate_parts(perception, bags, parts, options, store.maps_path):
            store.save(part.number, measured)
    return sum(part.count for part in parts) / seconds[0]


@contextmanager
def _timed() -> Iterator[list[float]]:
    seconds: list[float] = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


def _write_checkpoint(path: Path, backbone: str) -> None:
    torch.manual_seed(0)
    labels = scenes.LABELS
    network = SegDepthFormer(backbone, num_classes=len(labels))
    info = CheckpointInfo(
        'SegDepthFormer', backbone, network.head_width, label_set=labels.name,
        class_names=labels.class_names, palette=labels.palette, input_size=SIZE,
    )  # fmt: skip
    checkpoint.save(network, info, path)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--frames', type=int, default=64, help='frames of the bag')
    parser.add_argument('--backbone', default='mit_b2')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--json', type=Path, help='file for the figures')
    return parser.parse_args()


if __name__ == '__main__':
    main()
