"""The frames most worth labelling: uncertain ones that do not look alike.

Of the frames above the 75 % quantile of the chosen uncertainty (more where too few), the most
uncertain one is taken first; then, one after the other, the frame with the largest product of its
uncertainty and its distance to the nearest frame taken. That is farthest-first traversal (Gonzalez
1985), as core-set active learning uses it (Sener and Savarese 2018, arXiv 1708.00489), weighted by
uncertainty. Distance is the root mean square difference of thumbnails of 8x6 pixels.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.frame_table import Row, column
from emuformer_ros.bag_evaluation.gallery import FrameName, read_again
from emuformer_ros.bag_evaluation.job import Job

CRITERIA = ('semantic', 'depth', 'epistemic')
MANIFEST = 'manifest.json'

_POOL_QUANTILE = 0.75
_POOL_PER_FRAME = 4
_COLUMNS = {
    'semantic': ('entropy_mean',),
    'depth': ('depth_std_mean',),
    'epistemic': ('mutual_information_mean', 'depth_epistemic_std_mean'),
}


@dataclass(frozen=True)
class Selection:
    """How many frames to select, and by which uncertainty (one of CRITERIA)."""

    count: int
    by: str

    def check(self, info: CheckpointInfo) -> None:
        """Refuse a criterion that the checkpoint cannot give.

        Raises:
            EvaluationError: If it has no such uncertainty.
        """
        if self.by == 'epistemic' and info.method == 'single':
            raise EvaluationError(
                '--by epistemic needs a checkpoint that takes several samples (dropout, '
                'sub-ensemble, ensemble); this one is a single network, which gives one '
                'uncertainty and cannot separate its epistemic share: select by semantic or '
                'depth, or evaluate the teacher'
            )
        if self.by in ('semantic', 'depth') and self.by not in info.tasks:
            raise EvaluationError(
                f'--by {self.by} needs a network with that task, this is a {info.network}: select '
                f'by {" or ".join(info.tasks)}'
            )


def select_frames(
    rows: Sequence[Row], thumbnails: np.ndarray, selection: Selection
) -> list[tuple[int, float, float]]:
    """The frames most worth labelling.

    Args:
        rows: All frames.
        thumbnails: Their tiny pictures, uint8 (N, h, w, 3).
        selection: How many, and by what.

    Returns:
        (index, uncertainty, distance to the nearest selected before), the first most worth it;
        fewer than asked for where there are not as many frames.
    """
    if not rows:
        return []
    scores = _scores(rows, selection.by)
    enough = max(selection.count * _POOL_PER_FRAME, round(len(rows) * (1 - _POOL_QUANTILE)))
    pool = np.argsort(-scores, kind='stable')[:enough]
    looks = thumbnails[pool].reshape(len(pool), -1).astype(np.float32)
    nearest = np.full(len(pool), np.inf)
    taken = np.zeros(len(pool), bool)
    chosen: list[tuple[int, float, float]] = []
    best = 0
    for _ in range(min(selection.count, len(pool))):
        distance = float(nearest[best])
        chosen.append((int(pool[best]), float(scores[pool[best]]), distance))
        taken[best] = True
        to_best = np.sqrt(np.square(looks - looks[best]).mean(axis=1))
        nearest = np.minimum(nearest, to_best)
        best = int(np.argmax(np.where(taken, -1, scores[pool] * nearest)))
    return chosen


def write_selection(
    folder: Path,
    rows: Sequence[Row],
    thumbnails: np.ndarray,
    selection: Selection,
    job: Job,
) -> dict[str, Any]:
    """Write the selected frames as PNG, with a manifest beside them; returns the manifest."""
    bags = {bag.name: bag for bag in job.bags}
    files: dict[FrameName, str] = {}
    frames = []
    for rank, (index, score, distance) in enumerate(select_frames(rows, thumbnails, selection), 1):
        row = rows[index]
        bag = bags[row['bag']]
        file = f'{rank:03d}_{re.sub(r"[^A-Za-z0-9._-]", "_", bag.name)}_{row["stamp_ns"]}.png'
        files[bag.name, row['frame']] = file
        frames.append(
            {
                'rank': rank,
                'file': file,
                'bag': str(bag.path),
                'topic': bag.topics.image,
                'frame': row['frame'],
                'stamp_ns': row['stamp_ns'],
                'time_s': row['time_s'],
                'uncertainty': score,
                'distance': distance if np.isfinite(distance) else None,
            }
        )
    manifest = {
        'by': selection.by,
        'method': ' '.join(__doc__.split('\n\n', 1)[1].split()),
        'frames': frames,
    }
    folder.mkdir(parents=True)
    for bag, frame in read_again(job.bags, files):
        path = folder / files[bag.name, frame.entry.number]
        if not cv2.imwrite(str(path), frame.image[..., ::-1]):
            raise OSError(f"'{path}' cannot be written: check the space on the disk")
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
    return manifest


def _scores(rows: Sequence[Row], by: str) -> np.ndarray:
    """One number a frame: the mean uncertainty, or for several each relative to its median."""
    found = [values for name in _COLUMNS[by] if np.isfinite(values := column(rows, name)).any()]
    if len(found) > 1:
        found = [values / max(float(np.nanmedian(values)), 1e-12) for values in found]
    return np.nan_to_num(np.mean(found, axis=0), nan=0.0)
