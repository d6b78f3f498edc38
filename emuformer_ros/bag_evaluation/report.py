"""The report: one page that needs no network, of a Jinja template."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.plots import Limits, MapStyle
from emuformer_ros.bag_evaluation import charts
from emuformer_ros.bag_evaluation.alarms import Rise
from emuformer_ros.bag_evaluation.comparison import Comparison
from emuformer_ros.bag_evaluation.frame_table import Row, column
from emuformer_ros.bag_evaluation.gallery import (
    Album,
    FrameName,
    doubt,
    look_again,
    make_album,
    pick_extremes,
)
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import BagPlan
from emuformer_ros.bag_evaluation.report_words import figure_cards, sentence, verdict
from emuformer_ros.bag_evaluation.summary import Totals

_TEMPLATES = Path(__file__).parent / 'templates'
_EXTREMES = 4
_RISES = 6
_CHANGED = 4
_GRADIENT_STEPS = 12
_ONE_ROW = 5


@dataclass(frozen=True)
class Report:
    """What the report is made of.

    Attributes:
        options: What was evaluated.
        bags: The recordings.
        totals: What was measured.
        rises: The times of alarm.
        summary: The content of metrics.json.
        comparison: Another evaluation, if any.
        selection: The manifest of selected frames, if any.
    """

    options: Options
    bags: Sequence[BagPlan]
    totals: Totals
    rises: Sequence[Rise]
    summary: dict[str, Any]
    comparison: Comparison | None = None
    selection: dict[str, Any] | None = None


def write_report(path: Path, report: Report, perception: Perception) -> None:
    """Write the page; a few frames are looked at again for their pictures."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['number'] = sentence
    page = environment.get_template('report.html.j2').render(_context(report, perception))
    path.write_text(page, encoding='utf-8')


def _context(report: Report, perception: Perception) -> dict[str, Any]:
    rows = report.totals.rows
    gallery = _gallery(report)
    wanted = {name for _, _, frames in gallery for name, _ in frames}
    album = make_album(look_again(perception, report.bags, wanted, report.options.max_depth_m))
    by_name = {(row['bag'], row['frame']): row for row in rows}
    return {
        'title': ', '.join(bag.name for bag in report.bags),
        'style': (_TEMPLATES / 'report.css').read_text(encoding='utf-8'),
        'summary': report.summary,
        'info': report.totals.info,
        'bags': report.bags,
        'many_bags': len(report.bags) > 1,
        'verdict': verdict(report.summary),
        'cards': figure_cards(report.summary),
        'timelines': _timelines(report),
        'rises': report.rises[:_RISES],
        'more_rises': max(len(report.rises) - _RISES, 0),
        'gallery': [
            (title, note, [(by_name[name], text, album.pictures[name]) for name, text in frames])
            for title, note, frames in gallery
        ],
        'columns': _columns(max((len(each) for each in album.pictures.values()), default=1)),
        'scales': [_scale(*scale) for scale in album.scales],
        'classes': _class_legend(report, album),
        'charts': _charts(report),
        'changes': report.comparison.changes(report.summary) if report.comparison else [],
        'comparison': report.comparison,
        'selection': report.selection,
        'options': report.options,
    }


def _gallery(report: Report) -> list[tuple[str, str, list[tuple[FrameName, str]]]]:
    """Groups of frames to look at: title, what it means, frames with a word on each."""
    rows = report.totals.rows
    if not rows:
        return []
    info = report.totals.info
    values = doubt(rows, info)
    level = 'what is normal for the model' if info.normal_uncertainty else 'that of most frames'

    def named(indices: Sequence[int]) -> list[tuple[FrameName, str]]:
        return [((rows[i]['bag'], rows[i]['frame']), _doubt_text(rows[i])) for i in indices]

    count = min(_EXTREMES, max(len(rows) // 2, 1))
    groups = [
        (
            'Most uncertain frames',
            f'By the larger of both uncertainties, each relative to {level}.',
            named(pick_extremes(values, count, highest=True)),
        )
    ]
    if len(rows) > 1:
        groups.append(
            (
                'Most certain frames',
                'What the model is sure about here.',
                named(pick_extremes(values, count, highest=False)),
            )
        )
    if report.comparison:
        changed = report.comparison.most_changed(rows, _CHANGED)
        if changed:
            groups.insert(
                0,
                (
                    'Frames that changed most',
                    'Uncertainty now by uncertainty before; the maps are those of now.',
                    [(name, f'uncertainty × {factor:.2f}') for name, factor in changed],
                ),
            )
    return groups


def _doubt_text(row: Row) -> str:
    words = []
    if row.get('entropy_mean') is not None:
        words.append(f'entropy {row["entropy_mean"]:.3f} nats')
    if row.get('depth_std_mean') is not None:
        words.append(f'depth std {row["depth_std_mean"]:.2f} m')
    if row.get('pixel_accuracy') is not None:
        words.append(f'{100 * row["pixel_accuracy"]:.1f} % of pixels right')
    if row.get('rmse') is not None:
        words.append(f'RMSE {row["rmse"]:.2f} m')
    return ' · '.join(words)


def _timelines(report: Report) -> dict[str, str]:
    rows = report.totals.rows
    if not rows:
        return {}
    tracks = list(_tracks(report))
    return {
        name: charts.timeline(rows, tracks, report.rises, width)
        for name, width in (('wide', charts.WIDE), ('narrow', charts.NARROW))
    }


def _tracks(report: Report):
    rows = report.totals.rows
    words = {
        'entropy': ('semantic uncertainty\nnats', charts.SEMANTIC_COLOUR),
        'depth_std': ('depth uncertainty\nm', charts.DEPTH_COLOUR),
        'pixel_accuracy': ('pixels right\n%', '#5f3dc4'),
        'rmse': ('depth error (RMSE)\nm', '#087f5b'),
    }
    for name, (label, colour) in words.items():
        key = f'{name}_mean' if name in UNCERTAINTIES else name
        factor = 100 if name == 'pixel_accuracy' else 1
        values = factor * column(rows, key)
        if not np.isfinite(values).any():
            continue
        normal = (report.summary['uncertainty'].get(name) or {}).get('normal')
        scale = np.nanmedian(column(rows, 'depth_scale')) if name == 'depth_std' else 1.0
        band = (normal['0.05'] * scale, normal['0.95'] * scale) if normal else None
        old = None
        if report.comparison:
            old = factor * report.comparison.matched(rows, key)
            old = old if np.isfinite(old).any() else None
        yield charts.Track(label, colour, values, band, old)


def _charts(report: Report) -> dict[str, str]:
    summary = report.summary
    curves, errors = summary['curves'], summary['depth_errors']
    before = report.comparison.metrics['curves'] if report.comparison else {}
    made = {}
    if semantic := curves.get('semantic'):
        old = before.get('semantic', {})
        made['reliability'] = charts.reliability(
            semantic['reliability_15'], old.get('reliability_15')
        )
        made['risk'] = charts.risk_coverage(semantic['risk_coverage'], old.get('risk_coverage'))
        names, values = report.totals.info.class_names, summary['semantic']['class_iou']
        made['iou'] = charts.class_iou(names, values)
    if depth := curves.get('depth'):
        old = before.get('depth', {})
        made['sparsification'] = charts.sparsification(
            depth['sparsification'], 'RMSE of the rest, m', old.get('sparsification')
        )
    if errors and errors['by_distance']:
        made['distance'] = charts.error_by_distance(errors['by_distance'])
    if errors and errors['by_class']:
        made['class'] = charts.error_by_class(errors['by_class'])
    return made


def _columns(pictures: int) -> int:
    """Pictures of a frame in a row: all of them while they are large enough to see."""
    return pictures if pictures <= _ONE_ROW else -(-pictures // 2)


def _scale(style: MapStyle, limits: Limits) -> dict[str, str]:
    colours = matplotlib.colormaps[style.colour_map](np.linspace(0, 1, _GRADIENT_STEPS))
    stops = ', '.join(matplotlib.colors.to_hex(colour) for colour in colours)
    middle = np.sqrt(limits[0] * limits[1]) if style.logarithmic else np.mean(limits)
    return {
        'title': style.title,
        'unit': style.unit,
        'gradient': f'linear-gradient(to right, {stops})',
        'low': f'{limits[0]:.3g}',
        'middle': f'{middle:.3g}',
        'high': f'{limits[1]:.3g}',
    }


def _class_legend(report: Report, album: Album) -> list[tuple[str, str]]:
    info = report.totals.info
    if not album.pictures or 'semantic' not in info.tasks:
        return []
    return [
        (name, f'rgb({red}, {green}, {blue})')
        for name, (red, green, blue) in zip(info.class_names, info.palette)
    ]
