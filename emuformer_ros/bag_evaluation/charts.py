"""The charts of the report, as SVG that goes into its page."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emuformer_ros.bag_evaluation.alarms import Rise
from emuformer_ros.bag_evaluation.frame_table import Row, column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEMANTIC_COLOUR, DEPTH_COLOUR = '#3b5bdb', '#0b7a75'
OLD_COLOUR = '#e8890c'
_ALARM_COLOUR, _NORMAL_COLOUR = '#e03131', '#2b8a3e'
_INK, _MUTED, _GRID = '#343a40', '#868e96', '#e9ecef'

_STYLE = {
    'svg.fonttype': 'none',
    'font.family': 'sans-serif',
    'font.size': 10,
    'text.color': _INK,
    'axes.labelcolor': _INK,
    'axes.edgecolor': '#ced4da',
    'axes.linewidth': 0.8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': _GRID,
    'xtick.color': _MUTED,
    'ytick.color': _MUTED,
    'xtick.labelcolor': _INK,
    'ytick.labelcolor': _INK,
    'legend.frameon': False,
    'figure.constrained_layout.use': True,
}

_POINTS = 700
"""The most points of a line; more frames than that become a band of their extremes."""

WIDE, NARROW = 10.6, 4.4
"""Inches; the page shows the one that fits the screen."""


@dataclass(frozen=True)
class Track:
    """A line of the timeline.

    Attributes:
        label: What it shows, with the unit.
        colour: Of the line.
        values: One per frame, NaN for none.
        normal: (low, high) of what is normal; None where it is not known.
        old: The same of the evaluation that it is compared with; None without.
    """

    label: str
    colour: str
    values: np.ndarray
    normal: tuple[float, float] | None = None
    old: np.ndarray | None = None


def timeline(
    rows: Sequence[Row], tracks: Sequence[Track], rises: Sequence[Rise], width: float
) -> str:
    """Uncertainties over time, one below the other, with the times of alarm.

    Args:
        rows: All frames; recordings follow each other.
        tracks: The lines.
        rises: The times of alarm.
        width: Of the chart in inches.
    """
    times, starts = _common_time(rows)
    with _figure((width, 0.55 + 1.55 * len(tracks)), len(tracks)) as (figure, all_axes):
        for axes, track in zip(all_axes, tracks):
            if track.normal:
                axes.axhspan(*track.normal, color=_NORMAL_COLOUR, alpha=0.09, lw=0)
            for rise in rises:
                start = starts[rise.bag]
                axes.axvspan(
                    start + rise.start_s, start + rise.end_s, color=_ALARM_COLOUR, alpha=0.16, lw=0
                )
            for own in _recordings(rows):
                if track.old is not None:
                    _line(axes, times[own], track.old[own], OLD_COLOUR)
                _line(axes, times[own], track.values[own], track.colour)
            axes.set_ylabel(track.label, fontsize=9)
            axes.set_ylim(bottom=0)
            axes.margins(x=0.005)
            axes.yaxis.set_major_locator(_ticks(4))
            axes.tick_params(labelbottom=axes is all_axes[-1])
            for start in list(starts.values())[1:]:
                axes.axvline(start, color=_MUTED, lw=0.8, ls=(0, (4, 3)))
        all_axes[-1].set_xlabel('seconds')
        if len(starts) > 1:
            for name, start in starts.items():
                all_axes[0].annotate(
                    name,
                    (start, 1),
                    xycoords=all_axes[0].get_xaxis_transform(),
                    xytext=(3, 3),
                    textcoords='offset points',
                    fontsize=8,
                    color=_MUTED,
                )
        return _svg(figure, f'timeline{width}')


def reliability(curve: dict[str, list], old: dict[str, list] | None = None) -> str:
    """Accuracy against confidence; bars show how many pixels each bin has."""
    with _figure((4.4, 3.3)) as (figure, (axes,)):
        axes.plot([0, 1], [0, 1], color=_MUTED, lw=1, ls=(0, (4, 3)), label='calibrated')
        for each, colour, name in _old_and_new(curve, old, SEMANTIC_COLOUR):
            known = [i for i, pixels in enumerate(each['pixels']) if pixels]
            axes.plot(
                [each['confidence'][i] for i in known],
                [each['accuracy'][i] for i in known],
                color=colour,
                marker='o',
                ms=3.5,
                lw=1.8,
                label=name,
            )
        share = np.array(curve['pixels']) / max(sum(curve['pixels']), 1)
        edges = np.arange(len(share)) / len(share)
        axes.bar(
            edges, share, 1 / len(share), align='edge', color=SEMANTIC_COLOUR, alpha=0.12, lw=0,
            label='share of pixels',
        )  # fmt: skip
        axes.set(xlabel='confidence', ylabel='accuracy', xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc='upper left', fontsize=9)
        return _svg(figure, 'reliability')


def risk_coverage(curve: dict[str, list], old: dict[str, list] | None = None) -> str:
    """Share of wrong pixels among the most certain ones."""
    with _figure((4.4, 3.3)) as (figure, (axes,)):
        for each, colour, name in _old_and_new(curve, old, SEMANTIC_COLOUR):
            axes.plot(
                100 * np.array(each['coverage']), 100 * np.array(each['risk']), color=colour,
                lw=1.8, label=name,
            )  # fmt: skip
        overall = 100 * curve['risk'][-1]
        axes.axhline(overall, color=_MUTED, lw=1, ls=(0, (4, 3)), label='without uncertainty')
        axes.set(xlabel='most certain pixels kept, %', ylabel='wrong pixels, %', xlim=(0, 100))
        axes.set_ylim(bottom=0)
        axes.legend(loc='best', fontsize=9)
        return _svg(figure, 'risk')


def sparsification(curve: dict[str, list], unit: str, old: dict[str, list] | None = None) -> str:
    """Depth error that is left when the most uncertain pixels are removed first."""
    with _figure((4.4, 3.3)) as (figure, (axes,)):
        removed = 100 * np.array(curve['removed'])
        for each, colour, name in _old_and_new(curve, old, DEPTH_COLOUR):
            axes.plot(removed, each['model'], color=colour, lw=1.8, label=name)
        axes.plot(removed, curve['oracle'], color=_INK, lw=1.2, ls=(0, (1, 1.5)), label='oracle')
        axes.plot(removed, curve['random'], color=_MUTED, lw=1, ls=(0, (4, 3)), label='random')
        axes.set(xlabel='most uncertain pixels removed, %', ylabel=unit, xlim=(0, 100))
        axes.set_ylim(bottom=0)
        axes.legend(loc='best', fontsize=9)
        return _svg(figure, f'sparsification{unit}')


def error_by_distance(rows: Sequence[dict[str, Any]]) -> str:
    """Root mean square error and predicted standard deviation by measured distance."""
    labels = [f'{r["from_m"]}–{r["to_m"]}' if r['to_m'] else f'>{r["from_m"]}' for r in rows]
    return _paired_bars(labels, rows, 'measured distance, m', 'distance', vertical=True)


def error_by_class(rows: Sequence[dict[str, Any]]) -> str:
    """Root mean square error and predicted standard deviation by class, the worst first."""
    ranked = sorted(rows, key=lambda row: -row['rmse'])[:20]
    return _paired_bars([row['name'] for row in ranked], ranked, '', 'class', vertical=False)


def class_iou(names: Sequence[str], values: Sequence[float | None]) -> str:
    """IoU of each class that occurs, the worst first."""
    known = sorted((v, n) for n, v in zip(names, values) if v is not None)
    with _figure((4.4, max(1.6, 0.5 + 0.24 * len(known)))) as (figure, (axes,)):
        axes.barh([n for _, n in known], [100 * v for v, _ in known], color=SEMANTIC_COLOUR)
        axes.invert_yaxis()
        axes.set(xlabel='IoU, %', xlim=(0, 100))
        axes.grid(axis='y', visible=False)
        return _svg(figure, 'iou')


def _paired_bars(
    labels: Sequence[str], rows: Sequence[dict[str, Any]], axis: str, name: str, vertical: bool
) -> str:
    size = (4.4, 3.3) if vertical else (4.4, max(1.8, 0.7 + 0.32 * len(rows)))
    place = np.arange(len(rows))
    with _figure(size) as (figure, (axes,)):
        bar, thickness = (axes.bar, 'width') if vertical else (axes.barh, 'height')
        for shift, key, colour, label in (
            (-0.2, 'rmse', DEPTH_COLOUR, 'error (RMSE)'),
            (0.2, 'predicted_std', '#96d2cd', 'uncertainty (std)'),
        ):
            bar(
                place + shift,
                [r[key] for r in rows],
                **{thickness: 0.38},
                color=colour,
                label=label,
            )
        if vertical:
            axes.set_xticks(place, labels, rotation=45, ha='right', fontsize=8.5)
            axes.set(xlabel=axis, ylabel='metres')
            axes.grid(axis='x', visible=False)
        else:
            axes.set_yticks(place, labels)
            axes.invert_yaxis()
            axes.set_xlabel('metres')
            axes.grid(axis='y', visible=False)
        axes.legend(loc='best', fontsize=9)
        return _svg(figure, name)


def _old_and_new(new: dict, old: dict | None, colour: str) -> Iterator[tuple[dict, str, str]]:
    if old:
        yield old, OLD_COLOUR, 'before'
    yield new, colour, 'now' if old else 'this model'


def _common_time(rows: Sequence[Row]) -> tuple[np.ndarray, dict[str, float]]:
    """Times with recordings one after the other, and where each begins."""
    starts: dict[str, float] = {}
    times = column(rows, 'time_s')
    begin = 0.0
    for own in _recordings(rows):
        name = rows[own.start]['bag']
        starts[name] = begin - (times[own].min() if starts else 0.0)
        times[own] += starts[name]
        begin = times[own].max()
    return times, starts


def _recordings(rows: Sequence[Row]) -> list[slice]:
    """The frames of each recording, which follow each other."""
    begins = [i for i in range(len(rows)) if i == 0 or rows[i]['bag'] != rows[i - 1]['bag']]
    return [slice(begin, end) for begin, end in zip(begins, [*begins[1:], len(rows)])]


def _line(axes: 'Axes', times: np.ndarray, values: np.ndarray, colour: str) -> None:
    if len(values) <= _POINTS:
        axes.plot(times, values, color=colour, lw=1.3)
        return
    with np.errstate(all='ignore'):
        groups = np.array_split(np.arange(len(values)), _POINTS)
        where = [times[group].mean() for group in groups]
        low, mean, high = (
            [function(values[group]) for group in groups]
            for function in (_nan_safe(np.nanmin), _nan_safe(np.nanmean), _nan_safe(np.nanmax))
        )
    axes.fill_between(where, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(where, mean, color=colour, lw=1.2)


def _nan_safe(function):
    return lambda values: function(values) if np.isfinite(values).any() else np.nan


def _ticks(count: int):
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count)


@contextmanager
def _figure(
    size: tuple[float, float], rows: int = 1
) -> Iterator[tuple['Figure', Sequence['Axes']]]:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size)
        figure.patch.set_alpha(0)
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        for each in axes:
            each.patch.set_alpha(0)
        yield figure, list(axes)


def _svg(figure: 'Figure', salt: str) -> str:
    """An <svg> element that takes the width it is given; the same figure gives the same text."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({**_STYLE, 'svg.hashsalt': salt}):
        figure.savefig(stream, format='svg', metadata={'Date': None, 'Creator': None})
    text = stream.getvalue()
    text = text[text.index('<svg') :]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', '', text, count=2)
    # Ids are unique within a figure alone.
    text = re.sub(r'((?:id="|href="#|url\(#))', rf'\1{_identifier(salt)}-', text)
    return text.strip()


def _identifier(text: str) -> str:
    return re.sub(r'[^a-z0-9]', '', text.lower())
