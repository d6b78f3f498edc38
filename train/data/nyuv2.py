"""NYU Depth V2 (Silberman et al. 2012), the densely labelled frames: indoor, 640x480, Kinect.

The 40 classes are those of Gupta et al. (2013); depth is the published in-painted one.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.labels import NYUV2_40, UNLABELLED
from train.data.dataset import DatasetError, FrameDataset, chosen_split
from train.data.nyuv2_folder import FolderSource
from train.data.nyuv2_mat import FRAMES_FILE, MatSource
from train.data.sample import Sample

DEPTH_RANGE_M = (0.001, 10.0)

INTRINSICS = Intrinsics(
    fx=518.85790117450188, fy=519.46961112127485, cx=325.58244941119034, cy=253.73616633400465
)
"""The colour camera, from the data set's toolbox."""

EIGEN_CROP = (slice(45, 471), slice(41, 601))
"""Rows and columns that Eigen et al. (2014) evaluate, of 480x640."""

_SPLITS = {'train': 'train', 'validation': 'test', 'test': 'test'}


class Source(Protocol):
    """A way the frames lie on disk."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image uint8 (H, W, 3), labels uint8 (H, W) of 0…40 with 0 unlabelled, depth (H, W) m."""


class NYUv2Dataset(FrameDataset):
    """NYUv2 with 40 classes; layouts in docs/datasets.md.

    Args:
        root: Folder with either nyu_depth_v2_labeled.mat, splits.mat and the 40-class mapping, or
            image/, label40/, depth/, train.txt and test.txt.
        split: 'train', or 'validation' or 'test', which are both the published test split.
        eigen_crop: Evaluate inside of EIGEN_CROP alone: labels and depth outside of it are dropped
            and counted as padding; the image stays whole.

    Raises:
        ValueError: If the split is unknown.
        DatasetError: If files are missing or not as published.
    """

    name = 'nyuv2'
    labels = NYUV2_40
    depth_range_m = DEPTH_RANGE_M
    splits = _SPLITS

    def __init__(
        self, root: str | Path, split: str = 'train', *, eigen_crop: bool = False
    ) -> None:
        self._source = _open(Path(root), chosen_split(split, self.splits, self.name))
        self._eigen_crop = eigen_crop

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> Sample:
        image, labels, depth = self._source.read(index)
        nearest, farthest = DEPTH_RANGE_M
        size = labels.shape
        not_padding = np.ones(size, bool)
        if self._eigen_crop:
            not_padding = _inside_eigen_crop(size)
        measured = (depth >= nearest) & (depth <= farthest) & not_padding
        return Sample(
            image=image,
            # 0, unlabelled, wraps around to 255.
            classes=np.where(not_padding, labels - np.uint8(1), np.uint8(UNLABELLED)),
            depth=np.where(measured, depth, np.float32(0)),
            not_padding=not_padding,
            intrinsics=INTRINSICS,
            index=index,
        )


def _open(root: Path, split: str) -> Source:
    if (root / FRAMES_FILE).is_file():
        return MatSource(root, split)
    if (root / 'image').is_dir():
        return FolderSource(root, split)
    raise DatasetError(
        f"'{root}' holds neither {FRAMES_FILE} nor a folder image/: give the folder of NYUv2 in "
        'one of the layouts of docs/datasets.md'
    )


def _inside_eigen_crop(size: tuple[int, int]) -> np.ndarray:
    if size != (480, 640):
        raise DatasetError(
            f'frames are {size[0]}x{size[1]} (height x width), the Eigen crop is defined for '
            '480x640: evaluate without eigen_crop'
        )
    inside = np.zeros(size, bool)
    inside[EIGEN_CROP] = True
    return inside
