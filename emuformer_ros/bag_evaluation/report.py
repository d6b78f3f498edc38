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
from emuformer_ros.bag_evaluation.album import Album, Picture, make_album
from emuformer_ros.bag_evaluation.comparison import Comparison
from emuformer_ros.bag_evaluation.earlier_maps import look_back
from emuformer_ros.bag_evaluation.frame_table import column
from emuformer_ros.bag_evaluation.gallery import FrameName, look_again
from emuformer_ros.bag_evaluation.gallery_groups import Group, gallery_groups
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import BagPlan
from emuformer_ros.bag_evaluation.report_words import figure_cards, sentence, verdict
from emuformer_ros.bag_evaluation.summary import Totals

_TEMPLATES = Path(__file__).parent / 'templates'
_RISES = 6
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
    groups = gallery_groups(rows, report.totals.info, report.comparison)
    album, reasons = _album(report, groups, perception)
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
            (
                group,
                [
                    (by_name[name], text, *_pictures(album, group, name))
                    for name, text in group.frames
                ],
            )
            for group in groups
        ],
        'without_before': reasons,
        'columns': _columns(max((len(each) for each in album.pictures.values()), default=1)),
        'scales': [_scale(*scale) for scale in album.scales],
        'classes': _class_legend(report, album),
        'charts': _charts(report),
        'changes': report.comparison.changes(report.summary) if report.comparison else [],
        'comparison': report.comparison,
        'common_frames': report.comparison.common_frames(rows) if report.comparison else 0,
        'selection': report.selection,
        'options': report.options,
    }


def _album(
    report: Report, groups: Sequence[Group], perception: Perception
) -> tuple[Album, list[str]]:
    """The pictures of the gallery, and why some of before are missing."""
    wanted = {name for group in groups for name, _ in group.frames}
    looks = look_again(perception, report.bags, wanted, report.options.max_depth_m)
    changed = {name for group in groups if group.compared for name, _ in group.frames}
    if not changed:
        return make_album(looks), []
    before, reasons = look_back(
        report.comparison.folder,
        report.comparison.metrics,
        report.bags,
        {name: looks[name] for name in changed},
    )
    return make_album(looks, before), reasons


def _pictures(album: Album, group: Group, name: FrameName) -> tuple[list[Picture], list]:
    """The pictures of a frame, and those that are shown before and now instead."""
    pairs = album.pairs(name) if group.compared else []
    shown = album.pictures[name]
    return [picture for picture in shown if picture.measured or not pairs], pairs


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
