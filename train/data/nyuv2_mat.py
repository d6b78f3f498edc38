"""NYUv2 as published: MATLAB files.

MATLAB's HDF5 files (v7.3) list dimensions in reverse, so an image of H x W x 3 x N there is
(N, 3, W, H) here.
"""

from pathlib import Path

import h5py
import numpy as np

from train.data.dataset import DatasetError
from train.data.mat_files import load_mat, open_hdf5
from train.data.nyuv2_labels import open_labels

FRAMES_FILE = 'nyu_depth_v2_labeled.mat'
SPLITS_FILE = 'splits.mat'

_SHAPES = {'images': '(N, 3, W, H)', 'depths': '(N, W, H)', 'labels': '(N, W, H)'}


class MatSource:
    """nyu_depth_v2_labeled.mat and splits.mat, and classMapping40.mat or labels40.mat.

    Args:
        root: Folder that holds them.
        split: 'train' or 'test'.

    Raises:
        DatasetError: If a file is missing, damaged, or not as published.
    """

    def __init__(self, root: Path, split: str) -> None:
        self._path = root / FRAMES_FILE
        with open_hdf5(self._path) as file:
            count, width, height = _check_shapes(file, self._path)
        self._frames = _split(root / SPLITS_FILE, split, count)
        self._labels = open_labels(root, (count, height, width))

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image uint8 (H, W, 3), labels uint8 (H, W), depth float32 (H, W) in metres."""
        frame = self._frames[index]
        # Opened for each frame: an open HDF5 file must not be carried into another process.
        with open_hdf5(self._path) as file:
            try:
                image, depth, fine = (file[name][frame] for name in _SHAPES)
            except OSError as error:
                raise DatasetError(
                    f"frame {frame} of '{self._path}' is damaged ({error}): download it again"
                ) from error
        image, depth = image.transpose(2, 1, 0), depth.T.astype(np.float32)
        return np.ascontiguousarray(image), self._labels.read(frame, fine.T), depth


def _check_shapes(file: h5py.File, path: Path) -> tuple[int, int, int]:
    """Number of frames, width and height."""
    missing = [name for name in _SHAPES if name not in file]
    if missing:
        raise DatasetError(
            f"'{path}' lacks {', '.join(missing)}, has {', '.join(file) or 'nothing'}: use the "
            'published file'
        )
    shapes = {name: file[name].shape for name in _SHAPES}
    count, *size = shapes['depths'] if len(shapes['depths']) == 3 else (0, 0, 0)
    if shapes != {
        'images': (count, 3, *size),
        'depths': (count, *size),
        'labels': (count, *size),
    }:
        found = ', '.join(f'{name} {shape}' for name, shape in shapes.items())
        expected = ', '.join(f'{name} {shape}' for name, shape in _SHAPES.items())
        raise DatasetError(
            f"'{path}' holds {found}, expected {expected} alike: use the published file"
        )
    return count, *size


def _split(path: Path, split: str, count: int) -> np.ndarray:
    """Frames of a split, counted from 0."""
    numbers = load_mat(path, f'{split}Ndxs').ravel().astype(np.int64)
    if not numbers.size or numbers.min() < 1 or numbers.max() > count:
        span = f'{numbers.min()}…{numbers.max()}' if numbers.size else 'none'
        raise DatasetError(
            f"'{path}' gives frames {span} for {split}, expected some of 1…{count}: use the "
            'splits.mat that belongs to the frames'
        )
    return numbers - 1
