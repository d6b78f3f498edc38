"""Two evaluations side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.normal_uncertainty import UNCERTAINTIES
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.frame_table import Row, column, read_table
from emuformer_ros.bag_evaluation.gallery import FrameName

METRICS, FRAMES = 'metrics.json', 'frames.csv'
"""Files of an evaluation that another can be compared with."""


@dataclass(frozen=True)
class Figure:
    """A figure that is compared.

    Attributes:
        task: 'semantic' or 'depth'.
        key: In metrics.json.
        title: What people call it.
        higher_is_better: Which way is better.
    """

    task: str
    key: str
    title: str
    higher_is_better: bool


FIGURES = (
    Figure('semantic', 'miou', 'mIoU', True),
    Figure('semantic', 'pixel_accuracy', 'pixels right', True),
    Figure('semantic', 'ece', 'ECE', False),
    Figure('semantic', 'aurc', 'AURC', False),
    Figure('semantic', 'p_accurate_certain', 'p(accurate | certain)', True),
    Figure('semantic', 'p_uncertain_inaccurate', 'p(uncertain | inaccurate)', True),
    Figure('semantic', 'pavpu', 'PAvPU', True),
    Figure('depth', 'rmse', 'RMSE, m', False),
    Figure('depth', 'abs_rel', 'AbsRel', False),
    Figure('depth', 'silog', 'SILog', False),
    Figure('depth', 'delta1', 'δ1', True),
    Figure('depth', 'nll', 'NLL', False),
    Figure('depth', 'ause', 'AUSE, m', False),
    Figure('depth', 'p_accurate_certain', 'p(accurate | certain)', True),
    Figure('depth', 'p_uncertain_inaccurate', 'p(uncertain | inaccurate)', True),
    Figure('depth', 'pavpu', 'PAvPU', True),
)
"""The figures against ground truth that are compared."""

_NO_CHANGE = 1e-4
"""Logarithm of a factor that is rounding and no change."""


@dataclass(frozen=True)
class Change:
    """A figure before and now.

    Attributes:
        task: 'semantic', 'depth' or 'speed'.
        name: Of the figure, with its unit.
        before: None where there was none.
        now: None where there is none.
        better: Whether it got better; None where that cannot be said.
    """

    task: str
    name: str
    before: float | None
    now: float | None
    better: bool | None

    @property
    def difference(self) -> float | None:
        """Now minus before."""
        return None if self.before is None or self.now is None else self.now - self.before


@dataclass(frozen=True)
class Comparison:
    """Another evaluation, to compare with.

    Attributes:
        folder: Where it is.
        metrics: The content of its metrics.json.
        rows: Its frames.
    """

    folder: Path
    metrics: dict[str, Any]
    rows: list[Row]

    @classmethod
    def read(cls, folder: Path) -> 'Comparison':
        """Read the results in a folder.

        Raises:
            EvaluationError: If there are none, or they are damaged.
        """
        try:
            metrics = json.loads((folder / METRICS).read_text(encoding='utf-8'))
            return cls(folder, metrics, read_table(folder / FRAMES))
        except (OSError, ValueError, KeyError) as error:
            raise EvaluationError(
                f"'{folder}' has no results to compare with ({error}): give the --output of an "
                'earlier evaluation'
            ) from error

    def changes(self, metrics: dict[str, Any]) -> list[Change]:
        """The figures of both evaluations, those that either has."""
        found = []
        for figure in FIGURES:
            before, now = (
                (each.get(figure.task) or {}).get(figure.key) for each in (self.metrics, metrics)
            )
            found.append(_change(figure.task, figure.title, before, now, figure.higher_is_better))
        for name in UNCERTAINTIES:
            before, now = (
                (each['uncertainty'].get(name) or {}).get('mean')
                for each in (self.metrics, metrics)
            )
            task, unit = ('semantic', 'nats') if name == 'entropy' else ('depth', 'm')
            found.append(_change(task, f'mean uncertainty, {unit}', before, now, None))
        before, now = (each['inference_ms']['median'] for each in (self.metrics, metrics))
        found.append(_change('speed', 'inference, ms', before, now, False))
        return [change for change in found if (change.before, change.now) != (None, None)]

    def common_frames(self, rows: Sequence[Row]) -> int:
        """How many of these frames the other evaluation has too."""
        return len(set(_keys(rows)) & set(_keys(self.rows)))

    def matched(self, rows: Sequence[Row], name: str) -> np.ndarray:
        """A column of the other evaluation in the order of these rows; NaN where it has none."""
        values = dict(zip(_keys(self.rows), column(self.rows, name)))
        return np.array([values.get(key, np.nan) for key in _keys(rows)], float)

    def most_changed(self, rows: Sequence[Row], count: int) -> list[tuple[FrameName, float]]:
        """Frames whose uncertainty changed most, and by what factor, the most changed first.

        The factor is the geometric mean over the uncertainties of now by before.
        """
        logs = []
        for name in UNCERTAINTIES:
            now, before = column(rows, f'{name}_mean'), self.matched(rows, f'{name}_mean')
            if np.isfinite(now).any() and np.isfinite(before).any():
                logs.append(np.log(np.maximum(now, 1e-12)) - np.log(np.maximum(before, 1e-12)))
        if not logs:
            return []
        change = np.mean(logs, axis=0)
        order = np.argsort(-np.abs(np.nan_to_num(change)), kind='stable')
        return [
            ((rows[i]['bag'], rows[i]['frame']), float(np.exp(change[i])))
            for i in order[:count].tolist()
            if abs(change[i]) > _NO_CHANGE
        ]


def _keys(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return [(row['bag'], row['stamp_ns']) for row in rows]


def _change(
    task: str, name: str, before: float | None, now: float | None, higher: bool | None
) -> Change:
    better = None
    if higher is not None and before is not None and now is not None and now != before:
        better = (now > before) == higher
    return Change(task, name, before, now, better)
