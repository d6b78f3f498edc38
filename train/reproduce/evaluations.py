"""Evaluations that are kept: figures, what each frame added to them, and resampled test sets."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from emu_model.checkpoint import read_info
from emu_model.evaluation import Evaluation
from emu_model.metrics import bootstrap
from train.evaluation import Evaluated, EvaluationData, evaluate_checkpoint
from train.files import write_json
from train.reproduce.layout import Layout
from train.reproduce.plan import Model
from train.reproduce.timing import read_times

_RESAMPLED = 'resampled/'


@dataclass(frozen=True)
class Result:
    """A model with what its evaluation found.

    Attributes:
        model: The model.
        report: Its figures, as docs/evaluation.md describes them.
        resampled: {'task.figure': the figure on each resampled test set, float64 (R,)}; the same
            test sets for every model, so that arrays may be subtracted.
        curves: {task: {curve: {axis: values}}}.
    """

    model: Model
    report: Mapping
    resampled: Mapping[str, np.ndarray]
    curves: Mapping[str, Mapping]

    def figure(self, key: str) -> float | None:
        """A figure by its dotted key, such as 'semantic.miou'; None where there is none."""
        value = self.report
        for part in key.split('.'):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value


def is_current(layout: Layout, model: Model) -> bool:
    """Whether a model's evaluation is there and newer than its networks."""
    figures = layout.figures(model.evaluation)
    networks = [layout.network(run) for run in model.runs]
    if not (figures.is_file() and all(network.is_file() for network in networks)):
        return False
    return figures.stat().st_mtime >= max(network.stat().st_mtime for network in networks)


def evaluate_model(
    layout: Layout, model: Model, data: EvaluationData, resamples: int, device: str = 'auto'
) -> None:
    """Evaluate a model and keep what was found."""
    checkpoint = layout.checkpoint(model.name, model.members)
    report, evaluated = evaluate_checkpoint(checkpoint, data, device=device)
    info = read_info(checkpoint)
    groups = Evaluation(
        info.tasks, len(info.class_names) or None, all_pixels=False, things=info.things
    ).groups
    arrays = _arrays(evaluated)
    for task, group in groups.items():
        frames = [sums[task] for sums in evaluated.frame_sums]
        for figure, values in bootstrap(group, frames, resamples=resamples).items():
            arrays[f'{_RESAMPLED}{task}.{figure}'] = values
    path = layout.frames(model.evaluation)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    write_json(layout.curves(model.evaluation), evaluated.curves)
    # Written last: the figures say that everything else is there.
    write_json(layout.figures(model.evaluation), report)


def load_results(layout: Layout, models: Iterable[Model]) -> list[Result]:
    """The results of those models that are evaluated."""
    times = read_times(layout)
    return [_load(layout, model, times) for model in models if is_current(layout, model)]


def _load(layout: Layout, model: Model, times: Mapping[str, dict]) -> Result:
    report = json.loads(layout.figures(model.evaluation).read_text())
    # Times of one measurement can be compared; those of the evaluations are from different hours.
    report['inference_ms'] = times.get(model.evaluation, report['inference_ms'])
    with np.load(layout.frames(model.evaluation)) as arrays:
        names = [name for name in arrays.files if name.startswith(_RESAMPLED)]
        resampled = {name.removeprefix(_RESAMPLED): arrays[name] for name in names}
    return Result(
        model,
        report,
        resampled,
        json.loads(layout.curves(model.evaluation).read_text()),
    )


def _arrays(evaluated: Evaluated) -> dict[str, np.ndarray]:
    """What each frame added: 'sums/<group>/<state>' and 'uncertainty/<shift>/<output>'."""
    arrays = {}
    for group, sums in evaluated.frame_sums[0].items():
        for state in sums:
            stacked = torch.stack([frame[group][state] for frame in evaluated.frame_sums])
            arrays[f'sums/{group}/{state}'] = stacked.cpu().numpy()
    kinds = {'normal': evaluated.frame_uncertainty, **evaluated.shifted_uncertainty}
    for kind, uncertainties in kinds.items():
        for output, means in uncertainties.items():
            arrays[f'uncertainty/{kind}/{output}'] = np.array(means)
    return arrays
