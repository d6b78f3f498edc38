"""What a prediction costs: time and arithmetic."""

import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from emu_model.engines import Engine
from emu_model.sampling import Samples
from emu_model.tasks import outputs_of

TIMED_RUNS = 15


def measure_time(engine: Engine, size: tuple[int, int], runs: int = TIMED_RUNS) -> dict:
    """How long an engine takes from one RGB frame of a (height, width) to all its maps.

    Returns:
        `inference_ms` as docs/evaluation.md describes it.
    """
    return describe_times(engine, time_frames(engine, size, runs), size)


def time_frames(engine: Engine, size: tuple[int, int], runs: int) -> list[float]:
    """Milliseconds of each of several frames, after one that warms the engine up.

    The maps are those that every network with the task has, so that networks which sample are
    not charged for the epistemic ones.
    """
    outputs = outputs_of(engine.info.tasks)
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    engine.predict(frame, outputs)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        engine.predict(frame, outputs)
        times.append(1e3 * (time.perf_counter() - start))
    return times


def describe_times(engine: Engine, times: Sequence[float], size: tuple[int, int]) -> dict:
    """Median and quartiles of some times, with what they were measured on."""
    return {
        'median': statistics.median(times),
        'quartiles': [float(bound) for bound in np.quantile(times, (0.25, 0.75))],
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
