"""Cityscapes (Cordts et al. 2016, arXiv 1604.01685): finely annotated frames with stereo depth.

Depth comes from the published disparity maps, made by semi-global matching: a pixel value p means
a disparity of (p − 1)/256 pixels.
"""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.labels import CITYSCAPES, UNLABELLED
from train.data.dataset import DatasetError, FrameDataset, chosen_split, depth_range_m
from train.data.image_files import read_map, read_rgb
from train.data.sample import Sample

NEAREST_M = 1.0

PUBLISHED_FRAMES = {'train': 2975, 'val': 500}

_SPLITS = {'train': 'train', 'validation': 'val', 'test': 'val'}

# The label id of each train id 0…18, from the benchmark's definition of its classes.
_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
TRAIN_IDS = np.full(256, UNLABELLED, np.uint8)
TRAIN_IDS[list(_LABEL_IDS)] = np.arange(len(_LABEL_IDS))
"""The train id of each label id; 255 for those that are not evaluated."""

_IMAGE = 'leftImg8bit'
_LABEL_KINDS = ('gtFine_labelIds', 'gtFine_labelTrainIds')
_INSTANCES = 'gtFine_instanceIds'
_FIRST_INSTANCE = 1000

_LOGGER = logging.getLogger(__name__)


class CityscapesDataset(FrameDataset):
    """Cityscapes with 19 classes and metric depth; layout in docs/datasets.md.

    Args:
        root: Folder that holds leftImg8bit, gtFine, disparity and camera.
        split: 'train', or 'validation' or 'test', which are both the published val split: the
            labels of the published test split are not public.
        max_depth_m: Depth beyond it counts as no measurement; None keeps all.
        rows: How many rows to keep from the top: 768 are without the front of the car; None keeps
            all 1024.
        instances: Whether to read the ids of objects too. A group of objects that were not told
            apart has no id.

    Raises:
        ValueError: If the split is unknown or the depth not positive.
        DatasetError: If files are missing.
    """

    name = 'cityscapes'
    labels = CITYSCAPES
    things = tuple(range(CITYSCAPES.id('person'), len(CITYSCAPES)))
    splits = _SPLITS

    def __init__(
        self,
        root: str | Path,
        split: str = 'train',
        *,
        max_depth_m: float | None = 80.0,
        rows: int | None = None,
        instances: bool = False,
    ) -> None:
        self._root = Path(root)
        self._split = chosen_split(split, self.splits, self.name)
        self._instances = instances
        self._rows = rows
        self.depth_range_m = depth_range_m(NEAREST_M, max_depth_m)
        self._frames = self._index()

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, index: int) -> Sample:
        city, frame = self._frames[index]
        image = read_rgb(self._file(_IMAGE, city, frame, f'{_IMAGE}.png'))
        size = image.shape[:2]
        disparity = read_map(
            self._file('disparity', city, frame, 'disparity.png'), np.uint16, size, 'disparities'
        )
        intrinsics, baseline_m = read_camera(self._file('camera', city, frame, 'camera.json'))
        depth = depth_from_disparity(disparity, intrinsics.fx, baseline_m)
        depth[depth > self.depth_range_m[1]] = 0
        sample = Sample(
            image=image,
            classes=read_classes(self._root / 'gtFine' / self._split / city, frame, size),
            depth=depth,
            not_padding=np.ones(size, bool),
            intrinsics=intrinsics,
            index=index,
            instances=self._instance_ids(city, frame, size) if self._instances else None,
        )
        return sample if self._rows is None else _first_rows(sample, self._rows)

    def _instance_ids(self, city: str, frame: str, size: tuple[int, int]) -> np.ndarray:
        """Ids, uint16: label id · 1000 + number, and 0 for what has a label id alone."""
        file = self._file('gtFine', city, frame, f'{_INSTANCES}.png')
        ids = read_map(file, np.uint16, size, 'instance ids')
        return np.where(ids < _FIRST_INSTANCE, np.uint16(0), ids)

    def _file(self, kind: str, city: str, frame: str, ending: str) -> Path:
        return self._root / kind / self._split / city / f'{frame}_{ending}'

    def _index(self) -> list[tuple[str, str]]:
        """(city, frame) of each image, after a look whether all that belongs to it is there."""
        images = self._names(_IMAGE, f'{_IMAGE}.png')
        if not images:
            raise DatasetError(
                f"'{self._root / _IMAGE / self._split}' holds no CITY/*_{_IMAGE}.png: unpack "
                f"leftImg8bit_trainvaltest.zip into '{self._root}'"
            )
        labelled = set().union(*(self._names('gtFine', f'{kind}.png') for kind in _LABEL_KINDS))
        self._require(images, labelled, 'gtFine', f'{_LABEL_KINDS[0]}.png')
        if self._instances:
            identified = self._names('gtFine', f'{_INSTANCES}.png')
            self._require(images, identified, 'gtFine', f'{_INSTANCES}.png')
        for kind, ending in (('disparity', 'disparity.png'), ('camera', 'camera.json')):
            self._require(images, self._names(kind, ending), kind, ending)
        expected = PUBLISHED_FRAMES[self._split]
        if len(images) != expected:
            _LOGGER.warning(
                "'%s' holds %d of the %d published frames: figures will not be comparable",
                self._root / _IMAGE / self._split,
                len(images),
                expected,
            )
        return sorted(images)

    def _names(self, kind: str, ending: str) -> set[tuple[str, str]]:
        files = (self._root / kind / self._split).glob(f'*/*_{ending}')
        return {(file.parent.name, file.name.removesuffix(f'_{ending}')) for file in files}

    def _require(
        self, images: set[tuple[str, str]], found: set[tuple[str, str]], kind: str, ending: str
    ) -> None:
        missing = sorted(images - found)
        if missing:
            raise DatasetError(
                f"'{self._file(kind, *missing[0], ending)}' is missing, as are those of "
                f'{len(missing) - 1} other of {len(images)} images: unpack '
                f"{kind}_trainvaltest.zip into '{self._root}'"
            )


def read_classes(folder: Path, frame: str, size: tuple[int, int]) -> np.ndarray:
    """Train ids of a frame, uint8 (H, W), 255 for none; from its label ids where they are there.

    Raises:
        DatasetError: If the file is missing, damaged or not of the image's size.
    """
    label_ids, train_ids = (folder / f'{frame}_{kind}.png' for kind in _LABEL_KINDS)
    if not label_ids.is_file() and train_ids.is_file():
        return read_map(train_ids, np.uint8, size, 'train ids')
    return TRAIN_IDS[read_map(label_ids, np.uint8, size, 'label ids')]


def depth_from_disparity(disparity: np.ndarray, fx: float, baseline_m: float) -> np.ndarray:
    """Depth of a published disparity map.

    Args:
        disparity: Pixel values p, uint16 (H, W); disparity is (p − 1)/256 pixels, 0 stands for no
            measurement, and 1, a disparity of zero, for a point at infinity.
        fx: Focal length in pixels.
        baseline_m: Distance between the cameras in metres.

    Returns:
        Metres, float32 (H, W); 0 where p is 0 or 1.
    """
    measured = disparity > 1
    shift_px = (disparity.astype(np.float32) - 1) / 256
    depth = np.zeros(disparity.shape, np.float32)
    np.divide(np.float32(baseline_m * fx), shift_px, out=depth, where=measured)
    return depth


def read_camera(path: Path) -> tuple[Intrinsics, float]:
    """Intrinsics in pixels and stereo baseline in metres of a camera file.

    Raises:
        DatasetError: If the file is missing or not a camera file.
    """
    try:
        camera = json.loads(path.read_text())
        inner = camera['intrinsic']
        intrinsics = Intrinsics(*(float(inner[name]) for name in ('fx', 'fy', 'u0', 'v0')))
        baseline_m = float(camera['extrinsic']['baseline'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"'{path}' is no camera file ({type(error).__name__}: {error}), expected JSON with "
            'intrinsic fx, fy, u0, v0 and extrinsic baseline: unpack camera_trainvaltest.zip again'
        ) from error
    if not (intrinsics.fx > 0 and intrinsics.fy > 0 and baseline_m > 0):
        raise DatasetError(
            f"'{path}' has fx {intrinsics.fx}, fy {intrinsics.fy} and baseline {baseline_m}: "
            'expected positive numbers, unpack camera_trainvaltest.zip again'
        )
    return intrinsics, baseline_m


def _first_rows(sample: Sample, rows: int) -> Sample:
    """The upper part of a frame; the camera stays as it is."""
    maps = ('image', 'classes', 'depth', 'not_padding', 'instances')
    there = {name: getattr(sample, name) for name in maps}
    cut = {name: value[:rows] for name, value in there.items() if value is not None}
    return dataclasses.replace(sample, **cut)
