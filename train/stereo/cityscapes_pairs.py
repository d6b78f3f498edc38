"""The stereo pairs of Cityscapes (Cordts et al. 2016), with labels of the left images."""

from pathlib import Path

from train.data.cityscapes import NEAREST_M, CityscapesDataset, read_camera, read_classes
from train.data.dataset import DatasetError, chosen_split, depth_range_m
from train.data.image_files import read_rgb
from train.stereo.pairs import PairSource, StereoPair

_LEFT, _RIGHT = 'leftImg8bit', 'rightImg8bit'


class CityscapesPairs(PairSource):
    """Pairs of the published splits; layout in docs/datasets.md.

    Args:
        root: Folder that holds leftImg8bit, rightImg8bit, gtFine and camera.
        split: As for train.data.cityscapes.CityscapesDataset.
        rows: How many rows to keep from the top, likewise.
        max_depth_m: Depth beyond it counts as none; None keeps all.

    Raises:
        ValueError: If the split is unknown or the depth not positive.
        DatasetError: If files are missing.
    """

    name = CityscapesDataset.name
    labels = CityscapesDataset.labels

    def __init__(
        self,
        root: str | Path,
        split: str = 'train',
        *,
        rows: int | None = None,
        max_depth_m: float | None = 80.0,
    ) -> None:
        self._root = Path(root)
        self._split = chosen_split(split, CityscapesDataset.splits, self.name)
        self._rows = rows
        self.depth_range_m = depth_range_m(NEAREST_M, max_depth_m)
        self._frames = self._index()

    def __len__(self) -> int:
        return len(self._frames)

    def key(self, index: int) -> str:
        return '/'.join((self._split, *self._frames[index]))

    def read(self, index: int) -> StereoPair:
        city, frame = self._frames[index]
        left, right = (
            read_rgb(self._folder(kind, city) / f'{frame}_{kind}.png') for kind in (_LEFT, _RIGHT)
        )
        if left.shape != right.shape:
            raise DatasetError(
                f"the right image of '{frame}' is {right.shape[0]}x{right.shape[1]} (height x "
                f'width), its left one {left.shape[0]}x{left.shape[1]}: unpack {_RIGHT}_'
                f"trainvaltest.zip into '{self._root}' again"
            )
        camera = self._folder('camera', city) / f'{frame}_camera.json'
        intrinsics, baseline_m = read_camera(camera)
        classes = read_classes(self._folder('gtFine', city), frame, left.shape[:2])
        return StereoPair(
            left[: self._rows],
            right[: self._rows],
            intrinsics,
            baseline_m,
            classes={'left': classes[: self._rows]},
        )

    def _folder(self, kind: str, city: str) -> Path:
        return self._root / kind / self._split / city

    def _index(self) -> list[tuple[str, str]]:
        """(city, frame) of each left image, all of which have a right one."""
        images = {kind: self._images(kind) for kind in (_LEFT, _RIGHT)}
        if not images[_LEFT]:
            raise DatasetError(
                f"'{self._root / _LEFT / self._split}' holds no CITY/*_{_LEFT}.png: unpack "
                f"{_LEFT}_trainvaltest.zip into '{self._root}'"
            )
        missing = sorted(images[_LEFT] - images[_RIGHT])
        if missing:
            city, frame = missing[0]
            raise DatasetError(
                f"'{self._folder(_RIGHT, city) / frame}_{_RIGHT}.png' is missing, as are those of "
                f'{len(missing) - 1} other of {len(images[_LEFT])} left images: unpack '
                f"{_RIGHT}_trainvaltest.zip into '{self._root}'"
            )
        return sorted(images[_LEFT])

    def _images(self, kind: str) -> set[tuple[str, str]]:
        files = (self._root / kind / self._split).glob(f'*/*_{kind}.png')
        return {(file.parent.name, file.name.removesuffix(f'_{kind}.png')) for file in files}
