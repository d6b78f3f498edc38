"""A figure of what the generator makes: pictures, ground truth, stereo, motion and shifts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emu_model.plots import DEPTH, colourise, colourise_instances, draw_colour_bar
from emu_model.scenes.classes import LABELS
from emu_model.scenes.generate import KINDS, render, stereo_pair
from emu_model.scenes.shifts import SHIFTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = tuple[str, np.ndarray]

_COLUMNS = 6
_DEPTHS_M = {'street': (1.0, 100.0), 'indoor': (0.5, 10.0)}

# Inches.
_CELL_WIDTH = 2.7
_GAP = 0.06
_TITLE = 0.24
_MARGIN = 0.15
_FOOTER = 0.75


def contact_sheet(seed: int = 0, height: int = 240, width: int = 320) -> 'Figure':
    """Draws every kind of scene: several seeds, one of them with its ground truth, its shifts.

    Args:
        seed: The first seed shown, and the one with ground truth and shifts.
        height: Rows of each picture in pixels.
        width: Columns of each picture in pixels.

    Returns:
        A matplotlib figure of its own, not registered with pyplot.
    """
    from matplotlib.figure import Figure

    rows = [row for kind in KINDS for row in _rows(kind, seed, height, width)]
    cell_height = _CELL_WIDTH * height / width
    row_height = _TITLE + cell_height + _GAP
    total_width = 2 * _MARGIN + _COLUMNS * (_CELL_WIDTH + _GAP) - _GAP
    total_height = _MARGIN + len(rows) * row_height + _FOOTER
    figure = Figure(figsize=(total_width, total_height), dpi=120, facecolor='white')

    def place(left: float, top: float, across: float, down: float) -> tuple[float, ...]:
        bottom = total_height - top - down
        return (
            left / total_width,
            bottom / total_height,
            across / total_width,
            down / total_height,
        )

    for i, row in enumerate(rows):
        for k, (title, picture) in enumerate(row):
            left, top = _MARGIN + k * (_CELL_WIDTH + _GAP), _MARGIN + i * row_height + _TITLE
            axes = figure.add_axes(place(left, top, _CELL_WIDTH, cell_height))
            axes.imshow(picture, interpolation='antialiased', aspect='auto')
            axes.set_axis_off()
            axes.set_title(title, fontsize=9, loc='left', pad=3)
    below = _MARGIN + len(rows) * row_height + 0.12
    for k, kind in enumerate(KINDS):
        left = _MARGIN + k * (_CELL_WIDTH + _GAP) + 0.1
        axes = figure.add_axes(place(left, below, _CELL_WIDTH - 0.2, 0.12))
        draw_colour_bar(axes, DEPTH, _DEPTHS_M[kind])
        axes.set_xlabel(f'depth, {kind}, m', fontsize=8, labelpad=1)
    left = _MARGIN + 2 * (_CELL_WIDTH + _GAP)
    _add_legend(figure, place(left, below - 0.06, total_width - _MARGIN - left, _FOOTER - 0.12))
    return figure


def _rows(kind: str, seed: int, height: int, width: int) -> list[list[Picture]]:
    pictures = [
        (f'{kind}, seed {seed + k}', render(kind, seed + k, height, width).image)
        for k in range(_COLUMNS)
    ]
    left, right = stereo_pair(kind, seed, height, width)
    later = render(kind, seed, height, width, time_s=3.0)
    truth = [
        (f'seed {seed}, left eye', left.image),
        (f'right eye, {left.baseline_m * 100:.0f} cm beside', right.image),
        ('depth', colourise(left.depth, DEPTH, _DEPTHS_M[kind])),
        ('classes', LABELS.colourise(left.classes)),
        ('instances', colourise_instances(left.instances)),
        ('3 s later', later.image),
    ]
    shifted = {name: render(kind, seed, height, width, shift=name) for name in SHIFTS}
    shifts = [(name.replace('_', ' '), frame.image) for name, frame in shifted.items()]
    unknown = shifted['unknown_objects']
    shifts.append(('their classes: none', LABELS.colourise(unknown.classes)))
    return [pictures, truth, shifts]


def _add_legend(figure: 'Figure', box: Sequence[float]) -> None:
    from matplotlib.patches import Patch

    axes = figure.add_axes(box)
    axes.set_axis_off()
    handles = [
        Patch(color=np.divide(colour, 255), label=name)
        for name, colour in zip(LABELS.class_names, LABELS.palette)
    ]
    axes.legend(
        handles=handles,
        ncols=8,
        loc='upper left',
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        borderpad=0,
        borderaxespad=0,
    )
