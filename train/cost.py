"""How long a prediction takes."""

import time

import numpy as np

from emu_model.engines import Engine
from emu_model.report import describe_times
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
