"""Reading MATLAB files, with errors that name the file and what it should hold."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from train.data.dataset import DatasetError


def open_hdf5(path: Path) -> h5py.File:
    """A MATLAB v7.3 file, to be closed by the caller.

    Raises:
        DatasetError: If it is missing or damaged.
    """
    if not path.is_file():
        raise DatasetError(f"'{path}' is missing: docs/datasets.md says where it is to be had")
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise DatasetError(
            f"'{path}' is damaged or no MATLAB v7.3 (HDF5) file ({error}): download it again"
        ) from error


def load_mat(path: Path, name: str) -> np.ndarray:
    """A variable of a MATLAB file up to v7.

    Raises:
        DatasetError: If the file is missing or damaged or has no such variable.
    """
    if not path.is_file():
        raise DatasetError(f"'{path}' is missing: docs/datasets.md says where it is to be had")
    try:
        variables: Mapping[str, np.ndarray] = scipy.io.loadmat(path, variable_names=[name])
    except Exception as error:  # SciPy raises many types on damaged files
        raise DatasetError(
            f"'{path}' is damaged or no MATLAB file ({error}): download it again"
        ) from error
    if name not in variables:
        raise DatasetError(f"'{path}' has no variable '{name}': use the published file")
    return variables[name]
