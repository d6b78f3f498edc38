"""What is known of each frame, as a table that spreadsheets and pandas open (CSV)."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.prediction import Prediction
from emu_model.tasks import EPISTEMIC_OUTPUTS
from emuformer_ros.bag_evaluation.perception import PerceivedFrame

Row = dict[str, Any]
"""A frame: numbers and text by column; None or a missing column where there is nothing to say."""

QUANTILES = {'p50': 0.5, 'p90': 0.9, 'p99': 0.99}
"""Of the pixels of a frame, by suffix of the column."""

SUMMARISED = (*UNCERTAINTIES, *EPISTEMIC_OUTPUTS.values())
"""The maps whose mean and quantiles have columns."""

TRUTH_COLUMNS = {
    'pixel_accuracy': ('semantic', 'pixel_accuracy'),
    'miou': ('semantic', 'miou'),
    'rmse': ('depth', 'rmse'),
    'abs_rel': ('depth', 'abs_rel'),
    'delta1': ('depth', 'delta1'),
    'depth_nll': ('depth', 'nll'),
}
"""Columns that need ground truth: task and figure of emu_model.evaluation."""

TIME_COLUMNS = ('inference_ms',)
"""Columns that differ when the same recording is evaluated again."""

COLUMNS = (
    'bag',
    'frame',
    'stamp_ns',
    'time_s',
    *(f'{output}_{suffix}' for output in SUMMARISED for suffix in ('mean', *QUANTILES)),
    'depth_p50',
    'depth_known',
    'depth_scale',
    *TRUTH_COLUMNS,
    'alarm',
    *TIME_COLUMNS,
)
"""All columns there are, in order; docs/bag_evaluation.md says what they mean."""

_TEXT = ('bag', 'alarm')
_WHOLE = ('frame', 'stamp_ns')
_DIGITS = 7
"""Significant digits: float32 has no more."""


def frame_row(
    bag: str, perceived: PerceivedFrame, metric: Prediction, known: np.ndarray | None
) -> Row:
    """The columns of a frame that need nothing but itself.

    Args:
        bag: Name of the recording.
        perceived: The frame.
        metric: Its maps with depth in metres for the camera.
        known: Where the node would publish a depth, bool (H, W); None without a depth.
    """
    entry = perceived.frame.entry
    row: Row = {
        'bag': bag,
        'frame': entry.number,
        'stamp_ns': entry.stamp_ns,
        'time_s': entry.time_s,
        'inference_ms': perceived.inference_ms,
    }
    for name, values in metric.maps().items():
        if name in SUMMARISED:
            row |= _summary(name, values)
    if metric.depth is not None:
        row['depth_p50'] = float(np.median(metric.depth))
        row['depth_known'] = float(known.mean())
        row['depth_scale'] = perceived.camera.depth_scale
    return row


def truth_columns(figures: dict[str, dict | None]) -> Row:
    """The columns of a frame's figures against ground truth."""
    return {
        column: (figures.get(task) or {}).get(figure)
        for column, (task, figure) in TRUTH_COLUMNS.items()
    }


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, with the columns that any of them has."""
    present = {column for row in rows for column, value in row.items() if value is not None}
    columns = [column for column in COLUMNS if column in present]
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows([_text(row.get(column)) for column in columns] for row in rows)


def read_table(path: Path) -> list[Row]:
    """The rows of a table that `write_table` has written.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file.
    """
    with path.open(newline='', encoding='utf-8') as file:
        reader = csv.DictReader(file)
        if not {'bag', 'frame', 'stamp_ns'} <= set(reader.fieldnames or ()):
            raise ValueError(f"'{path}' is not the table of an evaluation: give its folder")
        return [{name: _value(name, text) for name, text in row.items()} for row in reader]


def column(rows: Iterable[Row], name: str) -> np.ndarray:
    """A column of numbers, float64, NaN where a row has none."""
    return np.array([math.nan if row.get(name) is None else row[name] for row in rows], float)


def _summary(name: str, values: np.ndarray) -> Row:
    row = {f'{name}_mean': float(values.mean(dtype=np.float64))}
    found = np.quantile(values, list(QUANTILES.values()))
    return row | {f'{name}_{suffix}': float(value) for suffix, value in zip(QUANTILES, found)}


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ''
    return f'{value:.{_DIGITS}g}' if isinstance(value, float) else str(value)


def _value(name: str, text: str) -> Any:
    if text == '':
        return None
    if name in _TEXT:
        return text
    return int(text) if name in _WHOLE else float(text)
