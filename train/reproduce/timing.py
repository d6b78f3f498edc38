"""How long each model takes for a frame, measured so that the models can be compared."""

import json
from collections.abc import Sequence

from rich.progress import track

from emu_model.engines import create_engine
from emu_model.report import describe_times
from train.cost import time_frames
from train.evaluation import UNSIZED_FRAME
from train.files import write_json
from train.reproduce.layout import Layout
from train.reproduce.plan import Model

ROUNDS = 5
FRAMES_A_ROUND = 6


def are_timed(layout: Layout, models: Sequence[Model]) -> bool:
    """Whether every model has been timed."""
    return set(read_times(layout)) >= {model.evaluation for model in models}


def read_times(layout: Layout) -> dict[str, dict]:
    """{evaluation: `inference_ms` as docs/evaluation.md describes it} of what has been timed."""
    return json.loads(layout.times.read_text()) if layout.times.is_file() else {}


def time_models(layout: Layout, models: Sequence[Model], device: str) -> None:
    """Time all models in turn, several times around, and keep the medians.

    What else a machine does comes and goes; taken in turn, it meets all of them.
    """
    times = {model.evaluation: [] for model in models}
    described = {}
    rounds = [model for _ in range(ROUNDS) for model in models]
    for model in track(rounds, 'timing', transient=True):
        checkpoint = layout.checkpoint(model.name, model.members)
        engine = create_engine(checkpoint, 'torch', device)
        size = engine.network_size or UNSIZED_FRAME
        times[model.evaluation] += time_frames(engine, size, FRAMES_A_ROUND)
        described[model.evaluation] = describe_times(engine, times[model.evaluation], size)
        engine.close()
    write_json(layout.times, described)
