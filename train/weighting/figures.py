"""Figures of the experiment: errors against weights, and how learned weights come about."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from train.reproduce.figures import label_axes, new_figure, save_figure
from train.reproduce.layout import Layout
from train.weighting.outcome import HEADLINES, Outcome, find, learned_course
from train.weighting.trials import EQUAL, FIXED, LEARNED, SINGLE, TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLES = {
    'semantic': '1 − mIoU ↓',
    'instance': 'offset error, px ↓',
    'depth': 'inverse depth error, 1/km ↓',
}
_COLOURS = ('#4477aa', '#228833', '#ccbb44', '#aa3377')
_LEARNED_COLOUR = '#ee6677'
_PAIR = ('semantic', 'depth')


def draw_figures(layout: Layout, outcomes: Sequence[Outcome]) -> dict[str, Path]:
    """Draw every figure that there are results for.

    Args:
        layout: The experiment's folder; the figures go to figures/ in it.
        outcomes: What has been trained and evaluated.

    Returns:
        {caption: file}.
    """
    folder = layout.root / 'figures'
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    if find(outcomes, _PAIR, FIXED):
        caption = (
            'Test errors of a network with two tasks against the weight of the depth beside that '
            'of the classes; learned weights at the point that they came to'
        )
        drawn[caption] = save_figure(two_tasks(outcomes), folder / 'two_tasks.png')
    if find(outcomes, TASKS, FIXED):
        caption = (
            'Test errors of a network with three tasks against the weight of the depth, for each '
            'weight of the offsets; learned weights at the point that they came to'
        )
        drawn[caption] = save_figure(three_tasks(outcomes), folder / 'three_tasks.png')
    learned = [outcome for outcome in outcomes if outcome.trial.way == LEARNED]
    if learned:
        caption = 'The logarithm of the variance, s, of each task in the course of training'
        drawn[caption] = save_figure(course(layout, learned), folder / 'learned.png')
    return drawn


def two_tasks(outcomes: Sequence[Outcome]) -> 'Figure':
    """Errors against the weight of the depth, with learned weights and each task alone."""
    figure, all_axes = new_figure(len(_PAIR), width=4.5)
    for axes, task in zip(all_axes, _PAIR):
        _draw_line(axes, task, find(outcomes, _PAIR, FIXED), _COLOURS[0], 'fixed weights')
        _draw_learned(axes, task, find(outcomes, _PAIR, LEARNED))
        _draw_alone(axes, task, outcomes)
        _finish(axes, task)
    all_axes[0].legend(frameon=False, fontsize=8)
    return figure


def three_tasks(outcomes: Sequence[Outcome]) -> 'Figure':
    """The same with three tasks, a line for each weight of the offsets."""
    figure, all_axes = new_figure(len(TASKS), width=4.0)
    fixed = find(outcomes, TASKS, FIXED)
    lines = sorted({each.weights['instance'] for each in fixed})
    for axes, task in zip(all_axes, TASKS):
        for weight, colour in zip(lines, _COLOURS):
            points = [each for each in fixed if each.weights['instance'] == weight]
            _draw_line(axes, task, points, colour, f'offsets weigh {weight:g}')
        _draw_line(axes, task, find(outcomes, TASKS, EQUAL), 'black', 'equal weights')
        _draw_learned(axes, task, find(outcomes, TASKS, LEARNED))
        _draw_alone(axes, task, outcomes)
        _finish(axes, task)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, frameon=False, fontsize=8)
    return figure


def course(layout: Layout, learned: Sequence[Outcome]) -> 'Figure':
    """How s moves, a panel for each set of tasks."""
    figure, all_axes = new_figure(len(learned), width=3.4)
    for axes, outcome in zip(all_axes, learned):
        for task, (steps, values) in learned_course(layout, outcome.trial).items():
            axes.plot(steps, values, color=_COLOURS[TASKS.index(task)], label=task, linewidth=1.6)
        axes.set_title(', '.join(outcome.trial.tasks), fontsize=9)
        label_axes(axes, 'step', 's')
        axes.legend(frameon=False, fontsize=8)
    return figure


def _draw_line(
    axes: 'Axes', task: str, outcomes: Sequence[Outcome], colour: str, label: str
) -> None:
    points = sorted((_depth_weight(each), _error(each, task)) for each in outcomes)
    if points:
        axes.plot(*zip(*points), marker='o', color=colour, label=label, linewidth=1.6)


def _draw_learned(axes: 'Axes', task: str, outcomes: Sequence[Outcome]) -> None:
    for each in outcomes:
        place = _depth_weight(each), _error(each, task)
        axes.plot(*place, '*', markersize=13, color=_LEARNED_COLOUR, label='learned weights')


def _draw_alone(axes: 'Axes', task: str, outcomes: Sequence[Outcome]) -> None:
    for each in find(outcomes, (task,), SINGLE):
        axes.axhline(_error(each, task), color='0.6', linestyle=':', label='this task alone')


def _finish(axes: 'Axes', task: str) -> None:
    axes.set_xscale('log')
    axes.set_title(_TITLES[task], fontsize=10)
    label_axes(axes, 'weight of the depth (classes weigh 1)', '')


def _depth_weight(outcome: Outcome) -> float:
    return outcome.weights['depth'] / outcome.weights['semantic']


def _error(outcome: Outcome, task: str) -> float:
    value = outcome.result.figure(HEADLINES[task])
    if value is None:
        return float('nan')
    return 1 - value if task == 'semantic' else value
