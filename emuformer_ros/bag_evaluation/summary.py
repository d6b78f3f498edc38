"""Everything an evaluation found, as one JSON object (metrics.json)."""

import dataclasses
import importlib.util
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.checkpoint import CheckpointInfo, load
from emu_model.engines.exported import is_exported
from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.report import count_macs, count_parameters, describe_times, evaluation_report
from emuformer_ros.bag_evaluation.alarms import Rise
from emuformer_ros.bag_evaluation.depth_by import DepthErrorsBy
from emuformer_ros.bag_evaluation.frame_table import Row, column
from emuformer_ros.bag_evaluation.job import Job
from emuformer_ros.bag_evaluation.measuring import Measured, frame_scores
from emuformer_ros.bag_evaluation.options import checkpoint_digest
from emuformer_ros.bag_evaluation.plan import BagPlan

FRAME_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the frame means of an uncertainty."""

_TASK_KEYS = ('semantic', 'semantic_all_pixels', 'depth', 'depth_all_pixels', 'instance')


@dataclass
class Totals:
    """What all parts together have measured; parts are added in their order.

    Attributes:
        info: Of the checkpoint.
        rows: All frames.
        thumbnails: Their tiny pictures, one array a part.
        problems: How many frames each problem occurred on.
    """

    info: CheckpointInfo
    rows: list[Row] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    frames_with_depth: int = 0
    frames_with_labels: int = 0

    def __post_init__(self) -> None:
        self._scores = None
        self._depth_by = DepthErrorsBy(len(self.info.class_names))

    def add(self, measured: Measured) -> None:
        """Add a part."""
        self.rows += measured.rows
        self.thumbnails.append(measured.thumbnails)
        self.problems.update(measured.problems)
        self.frames_with_depth += measured.frames_with_depth
        self.frames_with_labels += measured.frames_with_labels
        if measured.sums:
            self._scores = self._scores or frame_scores(self.info)
            self._scores.add_sums(measured.sums)
            self._depth_by.add_sums(measured.sums)

    def figures(self) -> dict[str, dict | None]:
        """Figures of each task; None for those without ground truth."""
        has = {'semantic': self.frames_with_labels > 0, 'depth': self.frames_with_depth > 0}
        found = self._scores.figures() if self._scores else {}
        return {key: found.get(key) if has.get(key.split('_')[0]) else None for key in _TASK_KEYS}

    def curves(self) -> dict[str, dict]:
        """The curves behind the figures, by task."""
        figures = self.figures()
        found = self._scores.curves() if self._scores else {}
        return {task: curves for task, curves in found.items() if figures[task]}

    def depth_errors(self) -> dict[str, list[dict[str, Any]]] | None:
        """Depth errors by distance and by class; None without measured depth."""
        return self._depth_by.figures(self.info.class_names) if self.frames_with_depth else None


def summarise(job: Job, totals: Totals, rises: Sequence[Rise]) -> dict[str, Any]:
    """The content of metrics.json, as docs/bag_evaluation.md describes it.

    What the evaluation on data sets (train.evaluate) reports has the same keys here.
    """
    info, rows, engine = totals.info, totals.rows, job.perception.engine
    checkpoint = job.options.checkpoint
    milliseconds = [row['inference_ms'] for row in rows]
    times = describe_times(engine, milliseconds, engine.network_size, job.perception.batch_size)
    p95 = float(np.quantile(milliseconds, 0.95)) if milliseconds else None
    return {
        **evaluation_report(
            info,
            totals.figures(),
            shift_auroc=None,
            inference_ms={**times, 'p95': p95, 'reason': engine.reason},
            parameters=None if is_exported(checkpoint) else count_parameters(checkpoint),
            macs=_macs(checkpoint, engine.network_size),
        ),
        'checkpoint': {
            'path': str(checkpoint),
            'sha256': checkpoint_digest(checkpoint),
            'training_data': info.training_data,
        },
        'frames': len(rows),
        'frames_with_depth': totals.frames_with_depth,
        'frames_with_labels': totals.frames_with_labels,
        'bags': [_bag(bag) for bag in job.bags],
        'uncertainty': uncertainty(rows, info),
        'alarms': [dataclasses.asdict(rise) for rise in rises],
        'frames_in_alarm': sum(row.get('alarm') == 'alarm' for row in rows),
        'depth_errors': totals.depth_errors(),
        'curves': totals.curves(),
        'problems': dict(sorted(totals.problems.items())),
        'wall_s': time.monotonic() - job.started_s,
    }


def uncertainty(rows: Sequence[Row], info: CheckpointInfo) -> dict[str, dict[str, Any]]:
    """{uncertainty: {'mean', quantiles of the frame means, 'normal': those of the checkpoint}}.

    Depth uncertainty is in metres for the camera at hand; 'above_normal' is the share of frames
    over the checkpoint's 0.95 quantile, with the camera's scale taken out.
    """
    found = {}
    for name in UNCERTAINTIES:
        means = column(rows, f'{name}_mean')
        if not np.isfinite(means).any():
            continue
        normal = info.normal_uncertainty.get(name, {}).get('frame_mean')
        scale = column(rows, 'depth_scale') if name == 'depth_std' else 1.0
        above = None if not normal else float(np.mean(means / scale > normal['0.95']))
        found[name] = {
            'mean': float(np.nanmean(means)),
            'quantiles': {
                str(q): float(value)
                for q, value in zip(FRAME_QUANTILES, np.nanquantile(means, FRAME_QUANTILES))
            },
            'normal': normal,
            'above_normal': above,
        }
    return found


def _macs(checkpoint: Path, size: tuple[int, int] | None) -> int | None:
    """None where they cannot be counted.

    That takes PyTorch, the checkpoint's own modules, which an exported file lacks, and one size.
    """
    without_torch = importlib.util.find_spec('torch') is None
    if size is None or without_torch or is_exported(checkpoint):
        return None
    return count_macs(load(checkpoint).to('meta'), size)


def _bag(bag: BagPlan) -> dict[str, Any]:
    return {
        'name': bag.name,
        'path': str(bag.path),
        'image_topic': bag.topics.image,
        'depth_topic': bag.topics.depth,
        'label_topic': bag.topics.labels,
        'images_recorded': bag.recorded,
        'frames': len(bag.frames),
        'duration_s': max(frame.time_s for frame in bag.frames)
        - min(frame.time_s for frame in bag.frames),
        'notes': list(bag.notes),
        'damage': bag.damage,
    }
