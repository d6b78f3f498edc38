"""Making the pseudo labels of all pairs of a data set, once and for all."""

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.engines import create_engine
from emu_model.warping import View
from train.files import write_json
from train.stereo.confidence import Disparities, confidences, match_views
from train.stereo.label_files import (
    MAX_DISPARITY_PX,
    PseudoLabels,
    label_path,
    read_disparity,
    read_label_image,
    read_labels,
    write_labels,
)
from train.stereo.pairs import VIEWS, PairSource, StereoPair

_META = 'meta.json'

_LEAVE_PAIRS_ALONE = {'count', 'files', 'max_depth_m', 'workers'}
"""Options of pairs that each pair's images, and so its labels, do not depend on."""


@dataclass(frozen=True)
class Origins:
    """Where pseudo labels come from.

    Attributes:
        max_disparity: Largest disparity looked for, in pixels.
        disparities: Folder of disparity maps to take instead of matching.
        labels: Folder of class ids for views without published ones.
        teacher: Checkpoint that predicts them instead.
        device: Of the teacher, as for emu_model.create_engine.
    """

    max_disparity: int
    disparities: Path | None = None
    labels: Path | None = None
    teacher: Path | None = None
    device: str = 'auto'

    def check(self) -> None:
        """Find what is wrong before the first pair.

        Raises:
            ValueError: If a number is out of its range, or two origins of class ids are given.
        """
        most = int(MAX_DISPARITY_PX)
        if not 1 <= self.max_disparity <= most:
            raise ValueError(
                f'the largest disparity is {self.max_disparity} px: give 1 to {most} px'
            )
        if self.labels and self.teacher:
            raise ValueError('class ids come from a folder or from a teacher: give one of both')

    def to_json(self) -> dict:
        """What decides the labels."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self).items()
            if name != 'device'
        }


class Labeller:
    """Makes the pseudo labels of pairs.

    Args:
        source: The pairs.
        origins: Where labels come from.

    Raises:
        ValueError: If the teacher cannot be used, or knows other classes than the pairs have.
    """

    def __init__(self, source: PairSource, origins: Origins) -> None:
        origins.check()
        self._source = source
        self._origins = origins
        self._engine = None
        self._one_at_a_time = threading.Lock()
        if origins.teacher:
            self._engine = create_engine(origins.teacher, 'torch', origins.device)
            info = self._engine.info
            if info.class_names != source.labels.class_names:
                raise ValueError(
                    f"teacher '{origins.teacher}' knows {len(info.class_names)} classes of "
                    f"'{info.label_set}', the pairs have {len(source.labels)} of "
                    f"'{source.labels.name}': it must know the same classes"
                )

    def labels(self, index: int) -> PseudoLabels:
        """The pseudo labels of a pair."""
        pair = self._source.read(index)
        disparities = self._disparities(index, pair)
        classes = {
            view: ids
            for view in VIEWS
            if view not in pair.classes and (ids := self._classes(index, view, pair)) is not None
        }
        trust = confidences(pair, disparities, self._origins.max_disparity)
        return PseudoLabels(disparities, trust, classes)

    def _disparities(self, index: int, pair: StereoPair) -> Disparities:
        folder = self._origins.disparities
        if folder is None:
            return match_views(pair, self._origins.max_disparity)
        key, size = self._source.key(index), pair.left.shape[:2]
        return {view: read_disparity(folder, key, view, size) for view in VIEWS}

    def _classes(self, index: int, view: View, pair: StereoPair) -> np.ndarray | None:
        image = pair.image(view)
        if self._origins.labels:
            key, size = self._source.key(index), image.shape[:2]
            return read_label_image(self._origins.labels, key, view, size, self._source.labels)
        if self._engine is None:
            return None
        with self._one_at_a_time:
            return self._engine.predict(image, ('classes',)).classes


def label_pairs(labeller: Labeller, source: PairSource, folder: Path, workers: int) -> Iterator:
    """Make the labels that are missing, yielding once for each that is done.

    Args:
        labeller: Makes them.
        source: The pairs.
        folder: Where their files go.
        workers: Pairs at a time.
    """

    def work(index: int) -> None:
        write_labels(label_path(folder, source.key(index)), labeller.labels(index))

    pool = ThreadPoolExecutor(workers)
    try:
        for done in as_completed([pool.submit(work, i) for i in missing(source, folder)]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def missing(source: PairSource, folder: Path) -> list[int]:
    """The pairs without labels."""
    return [i for i in range(len(source)) if not label_path(folder, source.key(i)).is_file()]


def describe(data: str, split: str, options: Mapping[str, Any], origins: Origins) -> dict:
    """Everything that labels depend on, as JSON.

    Args:
        data: One of train.stereo.pairs.PAIR_SOURCES.
        split: The split.
        options: Further options of the pairs.
        origins: Where labels come from.
    """
    deciding = {name: value for name, value in options.items() if name not in _LEAVE_PAIRS_ALONE}
    return {'data': data, 'split': split, 'data_options': deciding, **origins.to_json()}


def check_kept(source: PairSource, folder: Path, meta: Mapping[str, Any]) -> None:
    """Refuse a folder whose labels are not those that would be made now.

    A note of an earlier version, which says less, is compared as far as it goes; the size of the
    first labels that are there tells the rest.

    Args:
        source: The pairs.
        folder: Where the files of their labels are, if any.
        meta: How they would be made, as of `describe`.

    Raises:
        ValueError: If they were made in another way, or are damaged.
    """
    path = folder / _META
    there = json.loads(path.read_text()) if path.is_file() else {}
    changed = [
        f'{name} {there[name]} instead of {meta[name]}'
        for name in meta
        if name in there and there[name] != meta[name]
    ]
    if changed:
        raise ValueError(
            f"'{folder}' holds pseudo labels made with {', '.join(changed)}: give another "
            '--output, or remove it'
        )
    for index in range(len(source)):
        path = label_path(folder, source.key(index))
        if path.is_file():
            read_labels(path, source.read(index).left.shape[:2])
            return


def keep_meta(folder: Path, meta: Mapping[str, Any]) -> None:
    """Note how the labels of a folder are made, unless that is noted already."""
    path = folder / _META
    if not path.is_file():
        write_json(path, dict(meta))


def unlabelled_views(source: PairSource, origins: Origins) -> list[View]:
    """Views that will have no class ids at all, judged by the first pair."""
    if origins.labels or origins.teacher:
        return []
    published = source.read(0).classes
    return [view for view in VIEWS if view not in published]
