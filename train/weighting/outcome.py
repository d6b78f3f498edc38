"""What the trials came to, and which fixed weights were the best."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo, read_info
from train.reproduce.evaluations import Result, load_results
from train.reproduce.layout import Layout
from train.reproduce.plan import Plan
from train.weighting.trials import EQUAL, FIXED, LEARNED, TASKS, Trial, make_trials

HEADLINES = {
    'semantic': 'semantic.miou',
    'instance': 'instance.offset_error',
    'depth': 'depth.imae',
}
"""The figure that each task is judged by: more of the first and less of the others is better."""


@dataclass(frozen=True)
class Outcome:
    """A trial that has been trained and evaluated.

    Attributes:
        trial: The trial.
        result: Its figures on test frames.
        info: What its checkpoint says of itself.
    """

    trial: Trial
    result: Result
    info: CheckpointInfo

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each task; at the end of training where they were learned."""
        if self.trial.way == LEARNED:
            return dict(self.info.training['loss_weights'])
        return {task: self.trial.weights.get(task, 1.0) for task in self.trial.tasks}

    def standard_error(self, figure: str) -> float | None:
        """Of a figure, over resampled test frames."""
        values = self.result.resampled.get(figure)
        return None if values is None else float(values.std())


def load_outcomes(layout: Layout, plan: Plan) -> list[Outcome]:
    """The trials that are done, in the order of the experiment."""
    trials = {trial.name: trial for trial in make_trials()}
    return [
        Outcome(trials[result.model.name], result, read_info(layout.network(result.model.name)))
        for result in load_results(layout, plan.models)
    ]


def find(outcomes: Sequence[Outcome], tasks: tuple[str, ...], *ways: str) -> list[Outcome]:
    """The outcomes with these tasks, weighted in one of these ways."""
    return [each for each in outcomes if each.trial.tasks == tasks and each.trial.way in ways]


def best_fixed(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The fixed weights of all tasks with the best figures on validation frames.

    Best is the greatest product of IoU and the reciprocals of both errors, in which no task's
    unit matters. Test frames have no say in it.
    """
    fixed = find(outcomes, TASKS, EQUAL, FIXED)
    return max(fixed, key=lambda each: _merit(each.info.validation), default=None)


def learned_course(layout: Layout, trial: Trial) -> dict[str, tuple[list[int], list[float]]]:
    """{task: (steps, s)} of a training with learned weights."""
    course = {task: ([], []) for task in trial.tasks}
    with (layout.run(trial.name) / 'metrics.csv').open() as file:
        for row in csv.DictReader(file):
            for task, (steps, values) in course.items():
                if value := row.get(f'train/log_variance/{task}'):
                    steps.append(int(row['step']))
                    values.append(float(value))
    return course


def _merit(figures: Mapping[str, Mapping[str, float | None]]) -> float:
    merit = 0.0
    for task, key in HEADLINES.items():
        value = figures[task][key.partition('.')[2]]
        if not value:
            return -math.inf
        merit += math.log(value) if task == 'semantic' else -math.log(value)
    return merit
