"""The 40 classes of Gupta et al. (2013) on NYUv2's published frames, which have 894.

The user supplies either the mapping of the classes or the mapped labels; NYU publishes neither.
"""

import hashlib
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np

from emu_model.cache import cache_folder
from emu_model.files import written_aside
from train.data.dataset import DatasetError
from train.data.mat_files import load_mat, open_hdf5

MAPPING_FILE = 'classMapping40.mat'
LABELS_FILE = 'labels40.mat'

_CLASSES = 40


class Labels(Protocol):
    """Labels of the published frames, 0 = unlabelled, 1…40."""

    def read(self, frame: int, published: np.ndarray) -> np.ndarray:
        """Labels of a frame, uint8 (H, W), counted from 0; `published` are its 894 classes."""


def open_labels(root: Path, shape: tuple[int, int, int]) -> Labels:
    """The labels that the user supplied.

    Args:
        root: Folder with classMapping40.mat or labels40.mat; the former wins.
        shape: Number of frames, height and width.

    Raises:
        DatasetError: If there is neither, or it does not fit.
    """
    if (root / MAPPING_FILE).is_file():
        return MappedLabels(root / MAPPING_FILE)
    path = root / LABELS_FILE
    if not path.is_file():
        raise DatasetError(
            f"'{root}' holds neither {MAPPING_FILE} nor {LABELS_FILE}: add one of them, "
            'docs/datasets.md says where they are to be had'
        )
    if h5py.is_hdf5(path):
        return HDF5Labels(path, shape)
    return ConvertedLabels(path, shape)


class MappedLabels:
    """Published classes, mapped to 40.

    Args:
        path: classMapping40.mat: `mapClass` has the class, 1…40, of each published one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        mapping = load_mat(path, 'mapClass').ravel()
        _check_classes(mapping, path)
        self._table = np.concatenate([[0], mapping]).astype(np.uint8)

    def read(self, frame: int, published: np.ndarray) -> np.ndarray:
        """Labels of a frame, uint8 (H, W)."""
        if published.max() >= len(self._table):
            raise DatasetError(
                f"'{self._path}' maps {len(self._table) - 1} classes, frame {frame} has class "
                f'{published.max()}: use the mapping of the 894 classes'
            )
        return self._table[published]


class HDF5Labels:
    """Mapped labels in a MATLAB v7.3 file, read frame by frame.

    Args:
        path: labels40.mat: `labels40`, H x W x N.
        shape: N, H, W.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self._path = path
        count, height, width = shape
        with open_hdf5(path) as file:
            if 'labels40' not in file:
                raise DatasetError(f"'{path}' has no variable 'labels40': use the published file")
            _check_shape(file['labels40'].shape, (count, width, height), path)

    def read(self, frame: int, published: np.ndarray) -> np.ndarray:
        """Labels of a frame, uint8 (H, W)."""
        with open_hdf5(self._path) as file:
            labels = file['labels40'][frame].T
        _check_classes(labels, self._path)
        return labels.astype(np.uint8)


class ConvertedLabels:
    """Mapped labels in an older MATLAB file, which can only be read whole.

    So it is read once and written to the user's cache folder, frame by frame, uncompressed.

    Args:
        path: labels40.mat: `labels40`, H x W x N.
        shape: N, H, W.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        about = path.stat()
        key = f'{path.resolve()} {about.st_size} {about.st_mtime_ns}'
        name = f'labels40-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npy'
        self._converted = cache_folder() / 'nyuv2' / name
        if not self._converted.is_file():
            self._convert(path)
        _check_shape(np.load(self._converted, mmap_mode='r').shape, shape, path)

    def read(self, frame: int, published: np.ndarray) -> np.ndarray:
        """Labels of a frame, uint8 (H, W)."""
        return np.array(np.load(self._converted, mmap_mode='r')[frame])

    def _convert(self, path: Path) -> None:
        labels = load_mat(path, 'labels40')
        _check_classes(labels, path)
        with written_aside(self._converted) as partial, partial.open('wb') as file:
            np.save(file, np.ascontiguousarray(np.moveaxis(labels, -1, 0), np.uint8))


def _check_classes(values: np.ndarray, path: Path) -> None:
    if values.size and not 0 <= values.min() <= values.max() <= _CLASSES:
        raise DatasetError(
            f"'{path}' has classes {values.min()}…{values.max()}: expected 0…{_CLASSES}, use the "
            'mapping to 40 classes'
        )


def _check_shape(found: tuple, expected: tuple, path: Path) -> None:
    if found != expected:
        raise DatasetError(
            f"'{path}' holds labels {found}, the frames need {expected}: use the file that "
            'belongs to them'
        )
