"""What is measured on frames: their rows, and sums against ground truth."""

import importlib.util
from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.depth_by import DepthErrorsBy
from emuformer_ros.bag_evaluation.frame_table import Row, frame_row, truth_columns
from emuformer_ros.bag_evaluation.ground_truth import read_ground_truth
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.perception import PerceivedFrame
from emuformer_ros.maps.outputs import FrameMaps

THUMBNAIL = (6, 8)
"""(height, width) of the tiny picture of each frame that tells whether frames look alike."""


@dataclass
class Measured:
    """What was measured on the frames of a part.

    Attributes:
        rows: Of the frames that could be used.
        thumbnails: Their tiny pictures, RGB uint8 (N, *THUMBNAIL, 3).
        sums: What was counted against ground truth; empty where there is none.
        problems: How many frames each problem occurred on.
        frames_with_depth: Frames that had measured depth.
        frames_with_labels: Frames that had labels.
    """

    rows: list[Row] = field(default_factory=list)
    thumbnails: np.ndarray = field(default_factory=lambda: np.zeros((0, *THUMBNAIL, 3), np.uint8))
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    frames_with_depth: int = 0
    frames_with_labels: int = 0


class Measuring:
    """Measures frames, part by part.

    Args:
        info: Of the checkpoint.
        options: How far measured depth counts.
        with_truth: Whether any frame has ground truth.

    Raises:
        EvaluationError: If ground truth is to be compared with and PyTorch is missing.
    """

    def __init__(self, info: CheckpointInfo, options: Options, with_truth: bool) -> None:
        self._info = info
        self._max_depth_m = options.max_depth_m
        self._scores, self._depth_by = None, DepthErrorsBy(len(info.class_names))
        if with_truth:
            self._scores = frame_scores(info)
        self._part = Measured()
        self._thumbnails: list[np.ndarray] = []

    def add(self, bag: str, perceived: PerceivedFrame, maps: FrameMaps) -> None:
        """Measure a frame.

        Args:
            bag: Name of its recording.
            perceived: The frame and its maps.
            maps: What the node would publish of it.
        """
        metric = perceived.metric()
        depth = maps.prediction.depth
        row = frame_row(bag, perceived, metric, None if depth is None else np.isfinite(depth))
        if perceived.camera.problem:
            self._part.problems[perceived.camera.problem] += 1
        truth = read_ground_truth(perceived, self._info, self._max_depth_m)
        self._part.problems.update(truth.problems)
        self._part.frames_with_labels += truth.classes is not None
        self._part.frames_with_depth += truth.depth is not None
        if truth.classes is not None or truth.depth is not None:
            figures = self._scores.add(metric, classes=truth.classes, depth=truth.depth)
            row |= truth_columns(figures)
        if truth.depth is not None:
            shown = metric.classes if truth.classes is None else truth.classes
            self._depth_by.add(metric.depth, truth.depth, metric.depth_variance, shown)
        self._part.rows.append(row)
        height, width = THUMBNAIL
        self._thumbnails.append(
            cv2.resize(perceived.frame.image, (width, height), interpolation=cv2.INTER_AREA)
        )

    def refuse(self, reason: str) -> None:
        """Count a frame that cannot be used."""
        self._part.problems[f'image not usable: {reason}'] += 1

    def take(self) -> Measured:
        """What was measured since the last call."""
        part = self._part
        if self._thumbnails:
            part.thumbnails = np.stack(self._thumbnails)
        if self._scores is not None:
            part.sums = {**self._scores.sums(), **self._depth_by.sums()}
            self._scores.reset()
            self._depth_by.reset()
        self._part, self._thumbnails = Measured(), []
        return part


def frame_scores(info: CheckpointInfo):
    """The metrics for a checkpoint (emu_model.frame_scores.FrameScores).

    Raises:
        EvaluationError: If PyTorch is missing.
    """
    if (
        importlib.util.find_spec('torch') is None
        or importlib.util.find_spec('torchmetrics') is None
    ):
        raise EvaluationError(
            'comparing with ground truth needs PyTorch, not installed here: install the extra '
            'emuformer_ros[torch], or give --depth-topic none --label-topic none'
        )
    from emu_model.frame_scores import FrameScores

    return FrameScores(info.tasks, len(info.class_names) or None)
