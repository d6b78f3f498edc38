"""Everything that an experiment found, as Markdown, JSON and figures."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import torch

from emu_model.processor import core_count, processor_name
from train.files import write_json, write_text
from train.reproduce import paper
from train.reproduce.claims import FAILED, HELD, UNDECIDED, Verdict, decide, higher_is_better
from train.reproduce.evaluations import load_results
from train.reproduce.figures import draw_figures
from train.reproduce.layout import Layout
from train.reproduce.plan import Plan
from train.reproduce.progress import Progress, duration
from train.reproduce.results import ResultSet
from train.reproduce.settings import STUDIES, Settings
from train.reproduce.table import Table, table_line
from train.reproduce.tables import METHODS, MULTI_TASK, make_tables

_FIGURE_NAMES = {
    'semantic.miou': 'mIoU',
    'semantic.ece': 'ECE',
    'semantic.p_accurate_certain': 'classes, p(acc\\|cer)',
    'semantic.p_uncertain_inaccurate': 'classes, p(unc\\|inacc)',
    'semantic.pavpu': 'classes, PAvPU',
    'depth.rmse': 'RMSE, m',
    'depth.p_accurate_certain': 'depth, p(acc\\|cer)',
    'depth.p_uncertain_inaccurate': 'depth, p(unc\\|inacc)',
    'depth.pavpu': 'depth, PAvPU',
    'depth.ause': 'AUSE, m',
    'inference_ms.median': 'ms a frame',
}


def write_report(layout: Layout, settings: Settings, plan: Plan, progress: Progress) -> Path:
    """Write what has been found so far.

    Args:
        layout: The experiment's folder; results.md, results.json, tables.json and figures/ in it
            are written.
        settings: Of the experiment.
        plan: What there is to find.
        progress: How far it is.

    Returns:
        The Markdown file.
    """
    found = load_results(layout, plan.models)
    results = ResultSet(found)
    tables = make_tables(results, settings)
    verdicts = decide(results, settings.backbones[0])
    figures = draw_figures(layout, results, settings)
    text = '\n\n'.join(
        [
            f'# EMUFormer on {paper.NAMES[settings.data]}',
            _introduction(settings, progress),
            '## Tables',
            *(table.markdown() for table in tables),
            '## Claims',
            claims_markdown(verdicts),
            '## Figures',
            *(figure_markdown(caption, path) for caption, path in figures.items()),
            '## What training cost',
            training_times(plan, progress, settings.backbones[0]),
        ]
    )
    path = layout.root / 'results.md'
    write_text(path, text + '\n')
    headline = [result for result in found if not result.model.variant]
    write_json(layout.root / 'results.json', [dict(result.report) for result in headline])
    write_json(layout.root / 'tables.json', tables_json(tables, verdicts))
    return path


def tables_json(tables: Sequence[Table], verdicts: Sequence[Verdict]) -> dict:
    """Tables and verdicts as one JSON object."""
    return {
        'tables': [table.to_json() for table in tables],
        'claims': [verdict.to_json() for verdict in verdicts],
    }


def claims_markdown(verdicts: Sequence[Verdict]) -> str:
    """Each claim with a table of its figures, and how many of them held."""
    if not verdicts:
        return 'Nothing has been evaluated yet that a claim is about.'
    parts = [
        'A claim held for a figure where the paired bootstrap interval (95 %, over test frames '
        'and seeds) of the difference is on its side of zero, did not hold where it is on the '
        'other side, and cannot be told where zero is within the interval. A time held unless the '
        'middle half of what was measured is wholly above that of the other side.'
    ]
    for claim in dict.fromkeys(verdict.claim for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.claim == claim]
        counts = ', '.join(
            f'{sum(verdict.verdict == kind for verdict in own)} {kind}'
            for kind in (HELD, UNDECIDED, FAILED)
        )
        lines = [
            f'### {claim.title}',
            '',
            f'Of {len(own)} figures: {counts}.',
            '',
            f'| | {claim.better.label} | {claim.than.label} | difference | interval | by seed '
            '| in the paper | verdict |',
            '| --- ' * 8 + '|',
            *(_claim_row(verdict) for verdict in own),
        ]
        parts.append('\n'.join(lines))
    return '\n\n'.join(parts)


def training_times(plan: Plan, progress: Progress, backbone: str) -> str:
    """Training time of each method, alone and with everything that it starts from."""
    lines = ['| | runs | own training | with what it starts from |', '| --- ' * 4 + '|']
    for model in plan.models:
        first = (model.backbone, model.seed, model.variant) == (backbone, 0, '')
        if model.network != MULTI_TASK or not first or model.depth_loss != 'gnll':
            continue
        own = [plan.runs[name] for name in model.runs]
        with_needs = plan.runs_for(model)
        times = [[progress.seconds(run) for run in runs] for runs in (own, with_needs)]
        cells = ['–' if None in seconds else duration(sum(seconds)) for seconds in times]
        lines.append(f'| {METHODS[model.method]} | {len(own)} | {cells[0]} | {cells[1]} |')
    return '\n'.join(lines)


def figure_markdown(caption: str, path: Path) -> str:
    """A figure of the folder figures/ with its caption."""
    return f'![{caption}](figures/{path.name})\n\n{caption}.'


def written_by(command: str, progress: Progress) -> str:
    """How a report came about, as a sentence."""
    done = sum(progress.is_done(task) for task in progress.tasks)
    return (
        f'Written by `{command}` on {date.today()}, on {machine()}, with PyTorch '
        f'{torch.__version__}: {done} of {len(progress.tasks)} trainings and evaluations done.'
    )


def machine() -> str:
    """What the figures were measured on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'{core_count()} CPU cores ({processor_name()})'


def _introduction(settings: Settings, progress: Progress) -> str:
    scale = settings.scale
    command = [
        'python -m train.reproduce',
        f'--data {settings.data}',
        f'--backbone {" ".join(settings.backbones)}',
        f'--scale {settings.scale_name}',
        f'--studies {" ".join(settings.studies)}' if settings.studies != STUDIES else '',
        f'--seeds {settings.seeds}' if settings.seeds else '',
    ]
    parts = [
        written_by(' '.join(filter(None, command)), progress),
        f'Ensembles and sub-ensembles have {scale.members} members, Monte Carlo dropout '
        f'{scale.passes} passes. Figures are of test frames, and of '
        + (
            'the step of each run that was best on validation frames.'
            if settings.data == 'synthetic'
            else "each run's last step: no frames are published to choose another on."
        ),
    ]
    if scale.pretrain_steps:
        parts.append(
            'In the place of ImageNet weights all networks start from one encoder, trained '
            f'for {scale.pretrain_steps} steps on scenes that nothing else uses.'
        )
    return '\n\n'.join(parts)


def _claim_row(verdict: Verdict) -> str:
    figure = verdict.figure
    digits = 1 if figure.startswith('inference_ms') else 3

    def signed(value: float) -> str:
        # Adding zero takes the sign from a negative zero.
        return f'{round(value, digits) + 0.0:+.{digits}f}'

    interval = ' … '.join(signed(bound) for bound in verdict.interval or ())
    by_seed = ' '.join(signed(value) for value in verdict.by_seed)
    in_paper = ', '.join(
        f'{paper.NAMES[data]} {signed(value)}' for data, value in verdict.in_paper.items()
    )
    arrow = '↑' if higher_is_better(figure) else '↓'
    cells = [
        f'{_FIGURE_NAMES[figure]} {arrow}',
        f'{verdict.better:.{digits}f}',
        f'{verdict.than:.{digits}f}',
        signed(verdict.difference),
        interval or '–',
        by_seed or '–',
        in_paper or '–',
        f'**{verdict.verdict}**',
    ]
    return table_line(cells)
