"""KITTI for evaluation: the Eigen split with depth from laser scans, and frames with class labels.

Training on KITTI has no measured labels; train.stereo makes some from its stereo pairs.
"""

from pathlib import Path

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.labels import CITYSCAPES, UNLABELLED
from train.data.cityscapes import TRAIN_IDS
from train.data.dataset import DatasetError, FrameDataset, chosen_split, depth_range_m
from train.data.image_files import read_map, read_rgb
from train.data.kitti_raw import Calibration, RawRecordings, read_split
from train.data.sample import Sample

NEAREST_M = 1e-3

CROPS = {
    'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
    'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
}
"""Top, bottom, left and right end of what is evaluated, as shares of the image: by Eigen et al.
(2014), and by Garg et al. (2016)."""

_EVALUATION_SPLITS = {'validation': 'test', 'test': 'test'}


class KITTIDataset(FrameDataset):
    """Left images of a list, as a rule the 697 of the Eigen split, with the laser's depth.

    No pixel has a class. Layout in docs/datasets.md.

    Args:
        root: Folder with the days of the raw recordings in it.
        split: 'validation' or 'test', which are the same frames.
        files: The list of frames; it may lie in `root`.
        max_depth_m: Depth beyond it counts as no measurement; None keeps all.
        crop: 'eigen' or 'garg' evaluates that part of each image alone, None all of it; the
            network sees the whole image.

    Raises:
        ValueError: If the split or the crop is unknown, or the depth not positive.
        DatasetError: If files are missing.
    """

    name = 'kitti'
    labels = CITYSCAPES
    labelled = False
    splits = _EVALUATION_SPLITS

    def __init__(
        self,
        root: str | Path,
        split: str = 'test',
        *,
        files: str | Path = 'eigen_test_files.txt',
        max_depth_m: float | None = 80.0,
        crop: str | None = 'eigen',
    ) -> None:
        chosen_split(split, self.splits, self.name)
        if crop is not None and crop not in CROPS:
            raise ValueError(f"crop '{crop}' is unknown: choose of {', '.join(CROPS)}, or none")
        self._recordings = RawRecordings(Path(root))
        self.depth_range_m = depth_range_m(NEAREST_M, max_depth_m)
        self._crop = crop
        self._frames = read_split(Path(root) / files)
        for frame in self._frames:
            self._recordings.image(frame, 'left')

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, index: int) -> Sample:
        frame = self._frames[index]
        image = read_rgb(self._recordings.image(frame, 'left'))
        size = image.shape[:2]
        calibration = self._recordings.calibration(frame)
        points = read_scan(self._recordings.scan(frame))
        depth = depth_from_scan(points, calibration, size)
        counts = np.ones(size, bool) if self._crop is None else inside(self._crop, size)
        nearest, farthest = self.depth_range_m
        measured = counts & (depth >= nearest) & (depth <= farthest)
        return Sample(
            image=image,
            classes=np.full(size, UNLABELLED, np.uint8),
            depth=np.where(measured, depth, np.float32(0)),
            not_padding=counts,
            intrinsics=calibration.intrinsics,
            index=index,
        )


class KITTISemanticsDataset(FrameDataset):
    """The 200 frames of the semantic benchmark that have public labels; no pixel has a depth.

    Args:
        root: Folder that holds training/image_2 and training/semantic.
        split: 'validation' or 'test', which are the same frames.

    Raises:
        ValueError: If the split is unknown.
        DatasetError: If files are missing.
    """

    name = 'kitti_semantics'
    labels = CITYSCAPES
    splits = _EVALUATION_SPLITS
    depth_range_m = (NEAREST_M, 80.0)

    # The camera of most of the recordings they are taken from; the benchmark does not say which.
    _INTRINSICS = Intrinsics(fx=721.5377, fy=721.5377, cx=609.5593, cy=172.854)

    def __init__(self, root: str | Path, split: str = 'test') -> None:
        chosen_split(split, self.splits, self.name)
        self._folder = Path(root) / 'training'
        self._names = sorted(file.name for file in (self._folder / 'image_2').glob('*.png'))
        if not self._names:
            raise DatasetError(
                f"'{self._folder / 'image_2'}' holds no images: unpack data_semantics.zip into "
                f"'{root}'"
            )

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int) -> Sample:
        name = self._names[index]
        image = read_rgb(self._folder / 'image_2' / name)
        size = image.shape[:2]
        label_ids = read_map(self._folder / 'semantic' / name, np.uint8, size, 'label ids')
        return Sample(
            image=image,
            classes=TRAIN_IDS[label_ids],
            depth=np.zeros(size, np.float32),
            not_padding=np.ones(size, bool),
            intrinsics=self._INTRINSICS,
            index=index,
        )


def inside(crop: str, size: tuple[int, int]) -> np.ndarray:
    """What a crop evaluates, bool (H, W)."""
    shares = np.array(CROPS[crop])
    top, bottom, left, right = (shares * np.repeat(size, 2)).astype(int)
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def read_scan(path: Path) -> np.ndarray:
    """The points of a laser scan in metres, float32 (N, 3): forward, left, up.

    Raises:
        DatasetError: If the file is missing or damaged.
    """
    if not path.is_file():
        raise DatasetError(
            f"'{path}' is missing: unpack the synced recording with its velodyne_points"
        )
    values = np.fromfile(path, np.float32)
    if values.size == 0 or values.size % 4:
        raise DatasetError(
            f"'{path}' holds {values.size} numbers of 32 bit, expected four for each point: "
            'unpack the recording again'
        )
    return values.reshape(-1, 4)[:, :3]


def depth_from_scan(
    points: np.ndarray, calibration: Calibration, size: tuple[int, int]
) -> np.ndarray:
    """Depth of the pixels of the left image that a scan has met, as Eigen et al. (2014) have it.

    Where several points fall into a pixel, the nearest counts. Columns and rows are rounded less
    one, as in KITTI's development kit and all that is compared on this split.

    Args:
        points: Metres in the scanner's frame, float (N, 3).
        calibration: Of the day, with the scanner's.
        size: (height, width) of the image.

    Returns:
        Metres, float32 (H, W); 0 where no point fell.

    Raises:
        DatasetError: If the scanner's calibration is not there.
    """
    if calibration.lidar_to_camera is None:
        raise DatasetError(
            'calib_velo_to_cam.txt is missing beside calib_cam_to_cam.txt: unpack the calibration '
            'of that day'
        )
    ahead = points[points[:, 0] >= 0].astype(np.float64)
    to_image = calibration.projections['left'] @ calibration.lidar_to_camera
    u, v, z = to_image @ np.vstack([ahead.T, np.ones(len(ahead))])
    seen = z > 0
    z = z[seen]
    columns, rows = (np.rint(axis[seen] / z).astype(np.int64) - 1 for axis in (u, v))
    height, width = size
    hit = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    depth = np.full(size, np.inf, np.float32)
    np.minimum.at(depth, (rows[hit], columns[hit]), z[hit].astype(np.float32))
    return np.where(np.isfinite(depth), depth, np.float32(0))
