"""Rectified stereo pairs, whatever data set they come from."""

import abc
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.labels import LabelSet
from emu_model.warping import View

PAIR_SOURCES = {
    'cityscapes': ('train.stereo.cityscapes_pairs', 'CityscapesPairs'),
    'kitti': ('train.stereo.kitti_pairs', 'KITTIPairs'),
    'synthetic': ('train.stereo.synthetic_pairs', 'SyntheticPairs'),
}
"""Where each data set's class is."""

VIEWS: tuple[View, View] = ('left', 'right')


@dataclass(frozen=True)
class StereoPair:
    """The two images of a rectified pair, and the labels that are published of them.

    Attributes:
        left: RGB, uint8 (H, W, 3).
        right: Likewise, of the same size.
        intrinsics: The left camera.
        baseline_m: Distance between the cameras in metres.
        doffs_px: How far the principal point of the right camera lies to the right of the left
            one's.
        classes: Class ids of the views that have published ones, uint8 (H, W) with 255 for none.
    """

    left: np.ndarray
    right: np.ndarray
    intrinsics: Intrinsics
    baseline_m: float
    doffs_px: float = 0.0
    classes: Mapping[View, np.ndarray] = field(default_factory=dict)

    def image(self, view: View) -> np.ndarray:
        """The image of a view."""
        return self.left if view == 'left' else self.right


class PairSource(abc.ABC):
    """The pairs of a data set, decoded when asked for, never kept.

    Attributes:
        name: Name in PAIR_SOURCES.
        labels: The classes.
        depth_range_m: (nearest, farthest) depth a pixel may have, in metres.
    """

    name: str
    labels: LabelSet
    depth_range_m: tuple[float, float]

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def key(self, index: int) -> str:
        """A name that no other pair has, with slashes where folders are wanted."""

    @abc.abstractmethod
    def read(self, index: int) -> StereoPair:
        """The pair `index`, 0 ≤ index < len(self), from disk."""


def open_pairs(
    name: str, root: str | Path | None = None, split: str = 'train', **options
) -> PairSource:
    """Open the stereo pairs of a data set.

    Args:
        name: One of PAIR_SOURCES.
        root: Its folder, in the published layout (docs/datasets.md); 'synthetic' does without.
        split: 'train', 'validation' or 'test'.
        **options: Of that data set's class.

    Raises:
        ValueError: If the name, the split or an option is unknown, or `root` is missing.
        train.data.dataset.DatasetError: If the files are not as published.
    """
    if name not in PAIR_SOURCES:
        raise ValueError(f"no stereo pairs '{name}': choose of {', '.join(PAIR_SOURCES)}")
    if root is None and name != 'synthetic':
        raise ValueError(
            f"the stereo pairs of '{name}' need the folder its files are in: give --root DIR, in "
            'trainings --data.root DIR (docs/datasets.md shows the layout)'
        )
    module, class_name = PAIR_SOURCES[name]
    source = getattr(importlib.import_module(module), class_name)
    try:
        return source(root, split, **options)
    except TypeError as error:
        raise ValueError(f"options of the pairs of '{name}' cannot be used: {error}") from error
