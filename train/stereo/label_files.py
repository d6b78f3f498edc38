"""Pseudo labels of a stereo pair in a file, and maps that a user brings in files."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from emu_model.files import written_aside
from emu_model.labels import LabelSet
from emu_model.warping import View
from train.data.dataset import DatasetError, check_class_ids
from train.data.image_files import read_map
from train.stereo.confidence import Disparities
from train.stereo.pairs import VIEWS

DISPARITY_UNIT_PX = 1 / 256
"""As in KITTI's benchmark: uint16, 0 for none."""

MAX_DISPARITY_PX = np.iinfo(np.uint16).max * DISPARITY_UNIT_PX


@dataclass(frozen=True)
class PseudoLabels:
    """What is made of a pair.

    Attributes:
        disparities: Of both views in pixels, float32 (H, W); NaN where there is none.
        confidences: Of both views, float32 (H, W) in 0…1.
        classes: Class ids of the views they were made for, uint8 (H, W) with 255 for none.
    """

    disparities: Disparities
    confidences: Disparities
    classes: dict[View, np.ndarray] = field(default_factory=dict)


def label_path(folder: Path, key: str) -> Path:
    """The file of a pair's pseudo labels."""
    return folder / f'{key}.npz'


def write_labels(path: Path, labels: PseudoLabels) -> None:
    """Write a file, which appears whole or not at all."""
    arrays = {f'classes_{view}': classes for view, classes in labels.classes.items()}
    for view in VIEWS:
        arrays[f'disparity_{view}'] = encode_disparity(labels.disparities[view])
        arrays[f'confidence_{view}'] = np.rint(255 * labels.confidences[view]).astype(np.uint8)
    with written_aside(path) as partial:
        np.savez_compressed(partial, **arrays)


def read_labels(path: Path, size: tuple[int, int]) -> PseudoLabels:
    """Read a file.

    Args:
        path: The file.
        size: (height, width) of the pair.

    Raises:
        DatasetError: If the file is missing or damaged, or of another size.
    """
    if not path.is_file():
        raise DatasetError(
            f"'{path}' is missing: make the pseudo labels of all pairs with "
            'python -m train.pseudo_labels'
        )
    try:
        with path.open('rb') as file, np.load(file) as arrays:
            maps = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"'{path}' is damaged ({error}): remove it and make it again with "
            'python -m train.pseudo_labels'
        ) from error
    needed = {f'{kind}_{view}' for kind in ('disparity', 'confidence') for view in VIEWS}
    if not needed <= maps.keys() or any(values.shape != size for values in maps.values()):
        found = ', '.join(f'{name} {values.shape}' for name, values in sorted(maps.items()))
        raise DatasetError(
            f"'{path}' holds {found}, expected {', '.join(sorted(needed))} of {size}, the size of "
            'the pair: make the labels with the same options as the pairs are read with'
        )
    return PseudoLabels(
        {view: decode_disparity(maps[f'disparity_{view}']) for view in VIEWS},
        {view: maps[f'confidence_{view}'].astype(np.float32) / 255 for view in VIEWS},
        {view: maps[f'classes_{view}'] for view in VIEWS if f'classes_{view}' in maps},
    )


def read_disparity(folder: Path, key: str, view: View, size: tuple[int, int]) -> np.ndarray:
    """A disparity map that a user made: FOLDER/VIEW/KEY.png, uint16 in 1/256 pixel, or .npy.

    Returns:
        Pixels, float32 (H, W); NaN where there is none.

    Raises:
        DatasetError: If it is missing or damaged, or its type or size is another.
    """
    image = folder / view / f'{key}.png'
    array = image.with_suffix('.npy')
    if not array.is_file():
        return decode_disparity(read_map(image, np.uint16, size, 'disparities'))
    try:
        disparity = np.load(array)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"'{array}' is no NumPy array ({error}): write it again") from error
    if disparity.shape != size or disparity.dtype.kind != 'f':
        raise DatasetError(
            f"'{array}' is {disparity.dtype} {disparity.shape}, its image is {size} (height, "
            'width): give disparities in pixels as floats of the size of their image'
        )
    return np.where(disparity > 0, disparity, np.nan).astype(np.float32)


def read_label_image(
    folder: Path, key: str, view: View, size: tuple[int, int], labels: LabelSet
) -> np.ndarray:
    """Class ids that a user made: FOLDER/VIEW/KEY.png, uint8 with 255 for none.

    Raises:
        DatasetError: If it is missing or damaged, its type or size is another, or an id is none of
            `labels`.
    """
    path = folder / view / f'{key}.png'
    classes = read_map(path, np.uint8, size, 'class ids')
    check_class_ids(classes, labels, f"'{path}'")
    return classes


def encode_disparity(disparity: np.ndarray) -> np.ndarray:
    """Pixels with NaN for none to uint16 in 1/256 pixel with 0 for none.

    Raises:
        ValueError: If a disparity does not fit.
    """
    known = np.isfinite(disparity)
    largest = float(disparity.max(where=known, initial=0))
    if largest > MAX_DISPARITY_PX:
        raise ValueError(
            f'a disparity is {largest:.1f} px, the largest that can be kept is '
            f'{MAX_DISPARITY_PX:.1f} px: make the labels at a smaller size'
        )
    steps = np.rint(np.where(known, disparity, 0) / DISPARITY_UNIT_PX)
    return steps.clip(0).astype(np.uint16)


def decode_disparity(steps: np.ndarray) -> np.ndarray:
    """uint16 in 1/256 pixel with 0 for none to float32 pixels with NaN for none."""
    disparity = steps.astype(np.float32) * np.float32(DISPARITY_UNIT_PX)
    return np.where(steps > 0, disparity, np.float32(np.nan))
