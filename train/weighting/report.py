"""What the experiment found, as Markdown, JSON and figures."""

from collections.abc import Sequence
from pathlib import Path

from train.files import write_json, write_text
from train.reproduce.differences import NOTE, difference
from train.reproduce.layout import Layout
from train.reproduce.paper import NAMES
from train.reproduce.plan import Plan
from train.reproduce.progress import Progress
from train.reproduce.report import figure_markdown, written_by
from train.reproduce.table import Column, Row, Table, table_markdown
from train.weighting.figures import draw_figures
from train.weighting.outcome import Outcome, best_fixed, find, load_outcomes
from train.weighting.settings import WeightingSettings
from train.weighting.trials import EQUAL, LEARNED, SINGLE, TASKS

COLUMNS = (
    Column('mIoU, % ↑', 'semantic.miou', 1, 0.01),
    Column('offset error, px ↓', 'instance.offset_error', 2),
    Column('inverse depth error, 1/km ↓', 'depth.imae', 2),
    Column('AP50, % ↑', 'instance.ap50', 1, 0.01),
    Column('depth RMSE, m ↓', 'depth.rmse', 2),
)

PAPER = Table(
    'In the paper: Tiny Cityscapes (Kendall et al. 2018)',
    (
        Column('IoU, %', 'semantic.miou', 1),
        Column('instance error, px', 'instance.offset_error', 2),
        Column('inverse depth error, px', 'depth.inverse_px', 3),
    ),
    tuple(
        Row(label, values, (None,) * 3, from_paper=True)
        for label, values in (
            ('each task alone', (59.4, 4.61, 0.640)),
            ('three tasks, equal weights', (50.1, 3.79, 0.592)),
            ('three tasks, best fixed weights', (62.8, 3.61, 0.549)),
            ('three tasks, learned weights', (63.4, 3.50, 0.522)),
            ('semantic and instance, learned weights', (61.0, 3.42, None)),
            ('semantic and depth, learned weights', (62.7, None, 0.533)),
            ('instance and depth, learned weights', (None, 3.54, 0.539)),
        )
    ),
    'Its inverse depth is in pixels of disparity, so the last columns cannot be compared.',
)


def write_report(
    layout: Layout, settings: WeightingSettings, plan: Plan, progress: Progress
) -> Path:
    """Write what has been found so far.

    Args:
        layout: The experiment's folder; results.md, results.json and figures/ in it are written.
        settings: Of the experiment.
        plan: What there is to find.
        progress: How far it is.

    Returns:
        The Markdown file.
    """
    outcomes = load_outcomes(layout, plan)
    figures = draw_figures(layout, outcomes)
    name = NAMES[settings.data]
    text = '\n\n'.join(
        [
            f'# Task weights on {name}',
            _introduction(settings, progress),
            '## Results',
            comparison(outcomes, name).markdown(),
            differences(outcomes),
            PAPER.markdown(),
            '## Weights',
            every_weight(outcomes).markdown(),
            *(figure_markdown(caption, path) for caption, path in figures.items()),
        ]
    )
    path = layout.root / 'results.md'
    write_text(path, text + '\n')
    write_json(layout.root / 'results.json', [_to_json(outcome) for outcome in outcomes])
    return path


def comparison(outcomes: Sequence[Outcome], name: str) -> Table:
    """The table of the paper: one row for each way of weighting."""
    rows = []
    alone = [each for task in TASKS for each in find(outcomes, (task,), SINGLE)]
    if alone:
        rows.append(_row('each task alone', alone))
    for outcome in find(outcomes, TASKS, EQUAL):
        rows.append(_row('three tasks, equal weights', [outcome]))
    best = best_fixed(outcomes)
    if best is not None:
        rows.append(_row(f'three tasks, best fixed weights ({_weights(best)})', [best]))
    for outcome in outcomes:
        if outcome.trial.way == LEARNED:
            tasks = outcome.trial.tasks
            who = 'three tasks' if tasks == TASKS else ' and '.join(tasks)
            rows.append(_row(f'{who}, learned weights', [outcome]))
    return Table(f'Fixed and learned weights ({name})', COLUMNS, tuple(rows), _NOTE)


def differences(outcomes: Sequence[Outcome]) -> str:
    """What learned weights of all tasks change against each other way, frame by frame."""
    heads = ['three tasks, learned weights, less', *(column.title for column in COLUMNS)]
    best = best_fixed(outcomes)
    others = [
        *((f'{task} alone', each) for task in TASKS for each in find(outcomes, (task,), SINGLE)),
        *(('equal weights', each) for each in find(outcomes, TASKS, EQUAL)),
        *([('best fixed weights', best)] if best else []),
    ]
    rows = [
        [label, *(difference(learned.result, other.result, column) for column in COLUMNS)]
        for learned in find(outcomes, TASKS, LEARNED)
        for label, other in others
    ]
    note = f'{NOTE}: what makes a frame hard cancels.'
    return table_markdown('Differences', heads, rows, note)


def every_weight(outcomes: Sequence[Outcome]) -> Table:
    """Every training of several tasks, with its weights."""
    rows = tuple(
        _row(f'{outcome.trial.way}: {_weights(outcome)}', [outcome])
        for outcome in outcomes
        if len(outcome.trial.tasks) > 1
    )
    return Table('Every training of several tasks', COLUMNS, rows)


_NOTE = (
    'Figures are of test frames, after the last step; ± is the standard error over resampled test '
    'frames. The best fixed weights are those with the best figures on validation frames: the '
    'greatest product of IoU and the reciprocals of both errors.'
)


def _row(label: str, outcomes: Sequence[Outcome]) -> Row:
    """A row of the figures that these networks have together."""
    values, errors = [], []
    for column in COLUMNS:
        found = [each for each in outcomes if each.result.figure(column.key) is not None]
        values.append(found[0].result.figure(column.key) if found else None)
        errors.append(found[0].standard_error(column.key) if found else None)
    return Row(label, tuple(values), tuple(errors))


def _weights(outcome: Outcome) -> str:
    return ', '.join(f'{task} {weight:.3g}' for task, weight in outcome.weights.items())


def _introduction(settings: WeightingSettings, progress: Progress) -> str:
    command = (
        f'python -m train.weighting --data {settings.data} --backbone {settings.backbones[0]} '
        f'--scale {settings.scale_name}'
    )
    start = 'All start from the same encoder.'
    if settings.encoder_weights is None:
        start = (
            'In the place of ImageNet weights all start from one encoder, trained on all tasks '
            f'with learned weights for {settings.scale.pretrain_steps} steps on scenes that '
            'nothing else uses.'
        )
    return (
        f'{written_by(command, progress)}\n\n'
        f'Each network is trained once, with L1 on the inverse depth and on the offsets. {start}'
    )


def _to_json(outcome: Outcome) -> dict:
    return {
        'name': outcome.trial.name,
        'tasks': list(outcome.trial.tasks),
        'way': outcome.trial.way,
        'weights': outcome.weights,
        'validation': outcome.info.validation,
        'figures': dict(outcome.result.report),
        'standard_errors': {
            column.key: outcome.standard_error(column.key)
            for column in COLUMNS
            if outcome.result.figure(column.key) is not None
        },
    }
