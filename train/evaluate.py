"""Evaluate a checkpoint: python -m train.evaluate CHECKPOINT --data NAME --root DIR --output FILE.

CHECKPOINT is a file, or the folder of an ensemble. FILE is JSON; docs/evaluation.md describes its
keys. With --shifts, the same frames under each shift (synthetic scenes only) tell how well
uncertainty gives shifted frames away.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

import emu_model
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import Engine, create_engine
from emu_model.evaluation import Evaluation
from emu_model.metrics import ShiftAUROC
from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.sampling import Samples, predict_distribution
from train.data import DATASETS, build
from train.data.dataset import EvaluationDataset
from train.data.sampler import EvaluationSampler
from train.data.transforms import Resize

TIMED_RUNS = 15


@dataclass(frozen=True)
class Evaluated:
    """What a network did on a data set.

    Attributes:
        figures: {task or task_all_pixels: {figure: value}}, None for a task it lacks.
        curves: {task: {curve: {axis: values}}}.
        frame_sums: For each frame {group: sums}, from which `metrics.bootstrap` resamples.
        frame_uncertainty: {uncertainty: mean of each frame}.
    """

    figures: dict[str, dict | None]
    curves: dict[str, dict]
    frame_sums: list[dict[str, Mapping[str, Tensor]]] = field(repr=False)
    frame_uncertainty: dict[str, list[float]] = field(repr=False)


@torch.inference_mode()
def evaluate(network: Samples, batches: Iterable[Mapping[str, Tensor]]) -> Evaluated:
    """Compare a network with ground truth, frame by frame.

    Args:
        network: Any network in eval mode.
        batches: Plain frames as train.data gives them.

    Returns:
        All figures; the frames' own counts are kept beside the total for bootstrap intervals.
    """
    info = network.info
    device = next(network.parameters()).device
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (info.mean, info.std))
    classes = len(info.class_names) or None
    total, of_frame = (Evaluation(info.tasks, classes).to(device) for _ in range(2))
    frame_sums, frame_uncertainty = [], {}
    for batch in batches:
        batch = {name: value.to(device) for name, value in batch.items()}
        image = (batch['image'] - mean) / std
        distribution = predict_distribution(network, image, image.shape[2:])
        for name, value in distribution.maps(UNCERTAINTIES).items():
            frame_uncertainty.setdefault(name, []).extend(value.mean(dim=(1, 2)).tolist())
        for index in range(len(image)):
            of_frame.update(
                distribution[index : index + 1],
                classes=batch['classes'][index : index + 1],
                depth=batch['depth'][index : index + 1],
            )
            sums = {name: group.sums() for name, group in of_frame.groups.items()}
            for name, group in total.groups.items():
                group.add_sums(sums[name])
                of_frame.groups[name].reset()
            frame_sums.append(sums)
    return Evaluated(total.figures(), total.curves(), frame_sums, frame_uncertainty)


def shift_auroc(
    normal: Mapping[str, list[float]], shifted: Mapping[str, Mapping[str, list[float]]]
) -> dict[str, dict[str, float]]:
    """How well the frame means of each uncertainty tell shifted frames from normal ones.

    Args:
        normal: {uncertainty: frame means} on normal frames.
        shifted: The same by shift.

    Returns:
        {uncertainty: {shift: AUROC, 'all': AUROC}}.
    """
    scores = {}
    for name, means in normal.items():
        metric = ShiftAUROC(list(shifted))
        metric.update(torch.tensor(means), None)
        for shift, uncertainties in shifted.items():
            metric.update(torch.tensor(uncertainties[name]), shift)
        scores[name] = {shift: value.item() for shift, value in metric.compute().items()}
    return scores


def measure_time(engine: Engine, size: tuple[int, int], runs: int = TIMED_RUNS) -> dict:
    """How long an engine takes from one RGB frame to all its maps.

    Returns:
        {'median', 'engine', 'device', 'precision', 'batch', 'size'}; milliseconds.
    """
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    engine.predict(frame)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        engine.predict(frame)
        times.append(1e3 * (time.perf_counter() - start))
    return {
        'median': statistics.median(times),
        'engine': engine.name,
        'device': engine.device,
        'precision': engine.precision,
        'batch': 1,
        'size': list(size),
    }


@torch.inference_mode()
def count_macs(network: Samples, size: tuple[int, int]) -> int:
    """Multiply-accumulates of one prediction, all samples together.

    The paper's tables call these FLOPs. Interpolation, norms and activations are not counted.
    """
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter:
        for _ in network.samples(torch.zeros(1, 3, *size, device=device)):
            pass
    return counter.get_total_flops() // 2


def report(
    info: CheckpointInfo, evaluated: Evaluated, shifts: dict, cost: dict, run: dict | None = None
) -> dict:
    """The JSON object of one evaluation, as docs/evaluation.md describes it."""
    run = {**info.training, **(run or {})}
    return {
        'network': info.network,
        'method': run.get('recipe') or info.method,
        'backbone': info.backbone,
        'depth_loss': run.get('depth_loss') if 'depth' in info.tasks else None,
        'seed': run.get('seed'),
        **evaluated.figures,
        'shift_auroc': shifts or None,
        **cost,
    }


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON so that the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + '\n')
    os.replace(partial, path)


def loader_of(dataset, size: tuple[int, int] | None, batch_size: int, workers: int) -> DataLoader:
    """Plain frames of a data set in order, all of one size."""
    resize = Resize(*size) if size else None
    return DataLoader(
        EvaluationDataset(dataset, resize),
        batch_size=batch_size,
        sampler=EvaluationSampler(len(dataset)),
        num_workers=workers,
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = _parse(arguments)
    try:
        write_json(options.output, _evaluate_checkpoint(options))
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'wrote {options.output}')
    return 0


def _evaluate_checkpoint(options: argparse.Namespace) -> dict:
    engine = create_engine(options.checkpoint, 'torch', options.device, options.size)
    network = emu_model.load(options.checkpoint).to(engine.device)
    size = options.size or network.info.input_size
    arguments = {'root': options.root, 'split': options.split, **options.data_options}

    def run(dataset, name: str) -> Evaluated:
        batches = loader_of(dataset, size, options.batch_size, options.workers)
        return evaluate(network, track(batches, name, total=len(batches), transient=True))

    normal = run(build(options.data, **arguments), options.split)
    shifted = {
        shift: run(build(options.data, **arguments, shift=shift), shift).frame_uncertainty
        for shift in options.shifts
    }
    timed_size = size or (480, 640)
    cost = {
        'inference_ms': measure_time(engine, timed_size),
        'parameters': sum(weight.numel() for weight in network.parameters()),
        'macs': count_macs(network, timed_size),
    }
    shifts = shift_auroc(normal.frame_uncertainty, shifted) if shifted else {}
    return report(network.info, normal, shifts, cost)


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
        type=json.loads,
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
        help="size to evaluate at; the checkpoint's by default",
    )
    parser.add_argument(
        '--shifts', nargs='*', default=[], help='shifts to tell from normal frames'
    )
    parser.add_argument('--batch-size', type=int, default=8, help='frames at a time')
    parser.add_argument('--workers', type=int, default=2, help='processes that read frames')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu', 'cuda' or 'cuda:N'")
    parser.add_argument('--output', type=Path, required=True, help='JSON file to write')
    options = parser.parse_args(arguments)
    options.size = tuple(options.size) if options.size else None
    return options


if __name__ == '__main__':
    sys.exit(main())
