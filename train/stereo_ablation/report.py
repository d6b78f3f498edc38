"""What the ablation found, as Markdown and JSON."""

from collections.abc import Sequence
from pathlib import Path

from train.files import write_json, write_text
from train.reproduce.differences import NOTE, difference
from train.reproduce.evaluations import Result, load_results
from train.reproduce.layout import Layout
from train.reproduce.paper import NAMES
from train.reproduce.plan import Plan
from train.reproduce.progress import Progress
from train.reproduce.report import written_by
from train.reproduce.results import Repetitions
from train.reproduce.table import Column, Row, Table, table_markdown
from train.stereo_ablation.settings import AblationSettings
from train.stereo_ablation.trials import ALL, VARIANTS, Variant

COLUMNS = (
    Column('mIoU, % ↑', 'semantic.miou', 1, 0.01),
    Column('AbsRel ↓', 'depth.abs_rel', 4),
    Column('SqRel, m ↓', 'depth.sq_rel', 3),
    Column('RMSE, m ↓', 'depth.rmse', 3),
    Column('RMSE log ↓', 'depth.rmse_log', 4),
    Column('δ1 ↑', 'depth.delta1', 4),
    Column('δ2 ↑', 'depth.delta2', 4),
    Column('δ3 ↑', 'depth.delta3', 4),
)

COMPARED = (COLUMNS[0], COLUMNS[1], COLUMNS[3])
"""What differences are given of."""


def write_report(
    layout: Layout, settings: AblationSettings, plan: Plan, progress: Progress
) -> Path:
    """Write what has been found so far.

    Args:
        layout: The experiment's folder; results.md and results.json in it are written.
        settings: Of the experiment.
        plan: What there is to find.
        progress: How far it is.

    Returns:
        The Markdown file.
    """
    results = load_results(layout, plan.models)
    text = '\n\n'.join(
        [
            f'# Training on stereo pairs: {NAMES[settings.data]}',
            _introduction(settings, progress),
            figures_table(results).markdown(),
            differences(results),
        ]
    )
    path = layout.root / 'results.md'
    write_text(path, text + '\n')
    content = [
        {'variant': r.model.method, 'seed': r.model.seed, 'figures': dict(r.report)}
        for r in results
    ]
    write_json(layout.root / 'results.json', content)
    return path


def figures_table(results: Sequence[Result]) -> Table:
    """The figures of each variant that has been evaluated, over its seeds."""
    rows = []
    for variant in VARIANTS:
        found = Repetitions(_of(results, variant))
        if found.results:
            values = tuple(found.mean(column.key) for column in COLUMNS)
            spreads = tuple(found.spread(column.key) for column in COLUMNS)
            rows.append(Row(variant.label, values, spreads))
    note = 'Against exact depth up to 80 m; ± is the standard deviation over seeds.'
    return Table('Test frames', COLUMNS, tuple(rows), note)


def differences(results: Sequence[Result]) -> str:
    """What each variant loses or gains against all parts together, seed by seed."""
    heads = ['less all', 'seed', *(column.title for column in COMPARED)]
    rows = []
    whole = {result.model.seed: result for result in _of(results, ALL)}
    for variant in VARIANTS[1:]:
        for result in _of(results, variant):
            reference = whole.get(result.model.seed)
            if reference is not None:
                cells = [difference(result, reference, column) for column in COMPARED]
                rows.append([variant.label, str(result.model.seed), *cells])
    note = (
        f'{NOTE}. An interval around zero says nothing for or against, and neither do seeds that '
        'differ in sign.'
    )
    return table_markdown('Differences', heads, rows, note)


def _of(results: Sequence[Result], variant: Variant) -> tuple[Result, ...]:
    return tuple(result for result in results if result.model.method == variant.name)


def _introduction(settings: AblationSettings, progress: Progress) -> str:
    scale = settings.scale
    command = (
        f'python -m train.stereo_ablation --backbone {settings.backbones[0]} --scale '
        f'{settings.scale_name}'
    )
    return (
        f'{written_by(command, progress)}\n\n'
        f'{scale.train_frames} stereo pairs with disparities of semi-global matching; each task '
        f'alone for {scale.steps} steps, then both for {scale.student_steps} with the parts that '
        'the row names. Class ids of both views are exact.'
    )
