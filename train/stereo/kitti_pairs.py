"""The stereo pairs of KITTI's raw recordings, as Eigen et al. (2014) split them; no labels."""

from pathlib import Path

from emu_model.labels import CITYSCAPES
from train.data.dataset import DatasetError, chosen_split, depth_range_m
from train.data.image_files import read_rgb
from train.data.kitti_raw import RawRecordings, read_split
from train.stereo.pairs import VIEWS, PairSource, StereoPair

NEAREST_M = 1.0


class KITTIPairs(PairSource):
    """Pairs that a list names; layout in docs/datasets.md.

    Args:
        root: Folder with the days of the raw recordings in it.
        split: 'train'; the others are there for evaluation, without pairs.
        files: The list of frames, such as the 22,600 of the Eigen split; it may lie in `root`.
        max_depth_m: Depth beyond it counts as none; None keeps all.

    Raises:
        ValueError: If the split is another, or the depth too small.
        DatasetError: If files are missing.
    """

    name = 'kitti'
    labels = CITYSCAPES

    def __init__(
        self,
        root: str | Path,
        split: str = 'train',
        *,
        files: str | Path = 'eigen_train_files.txt',
        max_depth_m: float | None = 80.0,
    ) -> None:
        chosen_split(split, {'train': 'train'}, self.name)
        self._recordings = RawRecordings(Path(root))
        self.depth_range_m = depth_range_m(NEAREST_M, max_depth_m)
        self._frames = read_split(Path(root) / files)
        for frame in self._frames:
            for view in VIEWS:
                self._recordings.image(frame, view)

    def __len__(self) -> int:
        return len(self._frames)

    def key(self, index: int) -> str:
        return self._frames[index].key

    def read(self, index: int) -> StereoPair:
        frame = self._frames[index]
        paths = [self._recordings.image(frame, view) for view in VIEWS]
        left, right = map(read_rgb, paths)
        if left.shape != right.shape:
            raise DatasetError(
                f"'{paths[1]}' is {right.shape[0]}x{right.shape[1]} (height x width), its left "
                f'image {left.shape[0]}x{left.shape[1]}: unpack the recording again'
            )
        calibration = self._recordings.calibration(frame)
        return StereoPair(
            left, right, calibration.intrinsics, calibration.baseline_m, calibration.doffs_px
        )
