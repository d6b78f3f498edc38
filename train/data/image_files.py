"""Reading image files, with errors that name the file and what it should hold."""

from pathlib import Path

import cv2
import numpy as np

from train.data.dataset import DatasetError


def read_rgb(path: Path) -> np.ndarray:
    """A colour image, RGB uint8 (H, W, 3).

    Raises:
        DatasetError: If the file is missing or damaged.
    """
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_map(path: Path, dtype: type, size: tuple[int, int], content: str) -> np.ndarray:
    """An image of one channel that belongs to a colour image, (H, W) of `dtype`.

    Args:
        path: The file.
        dtype: What its pixels must be: np.uint8 or np.uint16.
        size: (height, width) of the colour image.
        content: What it holds, for error messages.

    Raises:
        DatasetError: If the file is missing or damaged, or its type or size is another.
    """
    values = _decode(path, cv2.IMREAD_UNCHANGED)
    if values.ndim != 2 or values.dtype != dtype:
        channels = 1 if values.ndim == 2 else values.shape[2]
        raise DatasetError(
            f"'{path}' has {channels} channels of {values.dtype}, {content} are one channel of "
            f'{np.dtype(dtype)}: use the file as it was published'
        )
    if values.shape != size:
        raise DatasetError(
            f"'{path}' is {values.shape[0]}x{values.shape[1]} (height x width), its image is "
            f'{size[0]}x{size[1]}: {content} must have the size of their image'
        )
    return values


def _decode(path: Path, flags: int) -> np.ndarray:
    if not path.is_file():
        raise DatasetError(
            f"'{path}' is missing: docs/datasets.md shows the files each frame needs"
        )
    values = cv2.imread(str(path), flags)
    if values is None:
        raise DatasetError(
            f"'{path}' is damaged or no image ({path.stat().st_size} bytes): unpack or download "
            'it again'
        )
    return values
