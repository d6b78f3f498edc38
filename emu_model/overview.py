"""A figure of what a network sees in a few frames, with colour bars, units and a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emu_model.labels import LabelSet
from emu_model.overlay import blend_classes
from emu_model.plots import STYLES, colour_limits, colourise, draw_colour_bar
from emu_model.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
_CELL_WIDTH = 3.2
_GAP = 0.08
_MARGIN = 0.12
_LEFT = 0.3
_HEADING = 0.35
_COLUMN_TITLE = 0.26
_COLOUR_BAR = 0.11
_COLOUR_BAR_LABELS = 0.42
_LEGEND_LINE = 0.22

_CLASSES_PER_LINE = 5


@dataclass(frozen=True)
class OverviewRow:
    """A frame of an overview.

    Attributes:
        title: What to call the frame.
        image: The camera image, RGB uint8 (H, W, 3).
        prediction: Its maps, (h, w) each; those that no frame has get no column.
        overlay: The classes over the image, RGB uint8; blended here where there is none.
    """

    title: str
    image: np.ndarray
    prediction: Prediction
    overlay: np.ndarray | None = None


def overview_figure(
    rows: Sequence[OverviewRow], labels: LabelSet | None = None, title: str = ''
) -> 'Figure':
    """Camera image, classes, depth and both uncertainties side by side, one frame a row.

    A column has one colour scale for all rows, and the classes that occur are in a legend.

    Args:
        rows: The frames.
        labels: Names and colours of the classes; needed where a row has classes.
        title: A line above everything.

    Returns:
        The figure; `figure.savefig(path)` writes it.

    Raises:
        ValueError: If there is no row, or there are classes and no labels.
    """
    if not rows:
        raise ValueError('an overview of no frames: give at least one row')
    columns = _columns(rows, labels)
    legend = _legend_entries(rows, labels) if labels else []

    layout = _Layout(rows, len(columns), bool(title), len(legend))
    figure = layout.figure
    if title:
        figure.text(*layout.heading(), title, fontsize=13, fontweight='bold', va='center')
    for index, column in enumerate(columns):
        for row, picture in enumerate(column.pictures):
            axes = _picture_axes(figure, layout.cell(row, index), picture)
            if row == 0:
                axes.set_title(column.title, fontsize=11, pad=5)
            if index == 0:
                axes.set_ylabel(rows[row].title, fontsize=9)
        if column.scale:
            draw_colour_bar(figure.add_axes(layout.colour_bar(index)), *column.scale)
    if legend:
        _add_legend(figure, layout.legend(), legend)
    return figure


@dataclass(frozen=True)
class _Column:
    title: str
    pictures: list
    scale: tuple | None = None


def _columns(rows: Sequence[OverviewRow], labels: LabelSet | None) -> list[_Column]:
    columns = [_Column('Camera', [row.image for row in rows])]
    if any(row.prediction.classes is not None for row in rows):
        if labels is None:
            raise ValueError('the frames have classes and there are no labels: give the label set')
        columns.append(_Column('Semantic classes', [_overlay(row, labels) for row in rows]))
    # Each uncertainty stands beside the map that it belongs to.
    for name, style in STYLES.items():
        maps = [getattr(row.prediction, name) for row in rows]
        present = [values for values in maps if values is not None]
        if present:
            limits = colour_limits(present, style)
            pictures = [None if m is None else colourise(m, style, limits) for m in maps]
            columns.append(_Column(style.title, pictures, (style, limits)))
    return columns


def _overlay(row: OverviewRow, labels: LabelSet) -> np.ndarray | None:
    if row.overlay is not None or row.prediction.classes is None:
        return row.overlay
    import cv2

    height, width = row.prediction.classes.shape
    image = cv2.resize(row.image, (width, height), interpolation=cv2.INTER_AREA)
    return blend_classes(image, row.prediction.classes, labels.palette)


def _legend_entries(
    rows: Sequence[OverviewRow], labels: LabelSet
) -> list[tuple[str, tuple[int, int, int]]]:
    """Names and colours of the classes that occur, the most frequent first."""
    counts = np.zeros(256, np.int64)
    for row in rows:
        if row.prediction.classes is not None:
            counts += np.bincount(row.prediction.classes.ravel(), minlength=256)
    present = [i for i in np.argsort(-counts, kind='stable') if counts[i] and i < len(labels)]
    return [(labels.class_names[i], labels.palette[i]) for i in present]


class _Layout:
    """Where everything goes, measured in inches from the top left."""

    def __init__(self, rows: Sequence[OverviewRow], columns: int, titled: bool, classes: int):
        from matplotlib.figure import Figure

        height, width = rows[0].image.shape[:2]
        self._cell = (_CELL_WIDTH, _CELL_WIDTH * height / width)
        self._top = (_HEADING if titled else 0) + _COLUMN_TITLE + _MARGIN
        self._bars = self._top + len(rows) * (self._cell[1] + _GAP)
        # Camera and classes have no colour bar: the legend goes below them.
        self._legend = (2 * _CELL_WIDTH, _LEGEND_LINE * -(-classes // _CLASSES_PER_LINE))
        self._width = _LEFT + columns * (self._cell[0] + _GAP) - _GAP + _MARGIN
        bars_height = _COLOUR_BAR + _COLOUR_BAR_LABELS
        self._height = self._bars + max(bars_height, self._legend[1]) + _MARGIN
        self.figure = Figure(figsize=(self._width, self._height), dpi=100, facecolor='white')

    def heading(self) -> tuple[float, float]:
        return _LEFT / self._width, 1 - (_MARGIN + _HEADING / 2 - 0.06) / self._height

    def cell(self, row: int, column: int) -> tuple[float, float, float, float]:
        left = _LEFT + column * (self._cell[0] + _GAP)
        return self._box(left, self._top + row * (self._cell[1] + _GAP), *self._cell)

    def colour_bar(self, column: int) -> tuple[float, float, float, float]:
        # Narrower than the column, so that the labels at the ends of two bars do not meet.
        left = _LEFT + column * (self._cell[0] + _GAP) + _GAP
        return self._box(left, self._bars, self._cell[0] - 2 * _GAP, _COLOUR_BAR)

    def legend(self) -> tuple[float, float, float, float]:
        return self._box(_LEFT, self._bars, *self._legend)

    def _box(self, left: float, top: float, width: float, height: float):
        w, h = self._width, self._height
        return left / w, 1 - (top + height) / h, width / w, height / h


def _picture_axes(figure: 'Figure', box, picture: np.ndarray | None) -> 'Axes':
    axes = figure.add_axes(box)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if picture is None:
        axes.set_facecolor('whitesmoke')
    else:
        axes.imshow(picture, interpolation='antialiased', aspect='auto')
    return axes


def _add_legend(figure: 'Figure', box, entries) -> None:
    from matplotlib.patches import Patch

    axes = figure.add_axes(box)
    axes.axis('off')
    axes.legend(
        handles=[Patch(color=np.divide(colour, 255), label=name) for name, colour in entries],
        loc='upper left',
        ncols=_CLASSES_PER_LINE,
        mode='expand',
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        handleheight=1.0,
        labelspacing=0.45,
        borderaxespad=0,
        borderpad=0,
    )
