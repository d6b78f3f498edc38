"""The raw recordings of KITTI (Geiger et al. 2013): pairs of images, cameras and laser scans.

A folder for each day holds its calibration and its recordings (docs/datasets.md).
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.warping import View
from train.data.dataset import DatasetError

CAMERAS: dict[View, str] = {'left': '02', 'right': '03'}
"""The colour cameras."""

_IMAGE_ENDINGS = ('.png', '.jpg')
_DRIVE = re.compile(r'(?P<date>\d{4}_\d\d_\d\d)/(?P=date)_drive_\d{4}_sync')


@dataclass(frozen=True, order=True)
class RawFrame:
    """A moment of a recording.

    Attributes:
        drive: Folder of the recording, DATE/DATE_drive_NNNN_sync.
        number: Of the frame in it.
    """

    drive: str
    number: int

    @property
    def key(self) -> str:
        """Drive and number as a path."""
        return f'{self.drive}/{self.number:010d}'


@dataclass(frozen=True)
class Calibration:
    """The cameras of a day.

    Attributes:
        projections: P_rect of each view, float64 (3, 4): points of the rectified reference camera
            to pixels.
        lidar_to_camera: Points of the laser scanner to that camera, float64 (4, 4); None where
            calib_velo_to_cam.txt is not there.
    """

    projections: dict[View, np.ndarray]
    lidar_to_camera: np.ndarray | None

    @property
    def intrinsics(self) -> Intrinsics:
        """The left camera."""
        p = self.projections['left']
        return Intrinsics(p[0, 0], p[1, 1], p[0, 2], p[1, 2])

    @property
    def baseline_m(self) -> float:
        """Distance between the cameras; a projection's last column is −fx times its place."""
        left, right = (self.projections[view][0, 3] for view in ('left', 'right'))
        return float((left - right) / self.intrinsics.fx)

    @property
    def doffs_px(self) -> float:
        """Columns between the principal points."""
        left, right = (self.projections[view][0, 2] for view in ('left', 'right'))
        return float(right - left)


class RawRecordings:
    """A folder of recordings.

    Args:
        root: Folder with the days in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._calibrations: dict[str, Calibration] = {}

    def image(self, frame: RawFrame, view: View) -> Path:
        """The image of a view.

        Raises:
            DatasetError: If it is missing.
        """
        folder = self.root / frame.drive / f'image_{CAMERAS[view]}' / 'data'
        for ending in _IMAGE_ENDINGS:
            path = folder / f'{frame.number:010d}{ending}'
            if path.is_file():
                return path
        raise DatasetError(
            f"'{folder / f'{frame.number:010d}{_IMAGE_ENDINGS[0]}'}' is missing, and no "
            f'{_IMAGE_ENDINGS[1]} either: unpack the synced and rectified recording '
            f"'{Path(frame.drive).name}' into '{self.root}'"
        )

    def scan(self, frame: RawFrame) -> Path:
        """The laser scan; whether it is there is for `read_scan` to say."""
        folder = self.root / frame.drive / 'velodyne_points' / 'data'
        return folder / f'{frame.number:010d}.bin'

    def calibration(self, frame: RawFrame) -> Calibration:
        """The cameras of the frame's day.

        Raises:
            DatasetError: If a file is missing or not as published.
        """
        day = frame.drive.split('/')[0]
        if day not in self._calibrations:
            self._calibrations[day] = read_calibration(self.root / day)
        return self._calibrations[day]


def read_calibration(folder: Path) -> Calibration:
    """The cameras of a day.

    Args:
        folder: Of the day, with calib_cam_to_cam.txt and perhaps calib_velo_to_cam.txt.

    Raises:
        DatasetError: If a file is missing or not as published.
    """
    cameras = _CalibrationFile(folder / 'calib_cam_to_cam.txt')
    projections = {
        view: cameras.matrix(f'P_rect_{camera}', (3, 4)) for view, camera in CAMERAS.items()
    }
    calibration = Calibration(projections, None)
    if not (calibration.intrinsics.fx > 0 and calibration.baseline_m > 0):
        raise DatasetError(
            f"'{cameras.path}' has fx {calibration.intrinsics.fx} and baseline "
            f'{calibration.baseline_m} m between cameras 02 and 03: expected positive numbers, '
            'unpack the calibration of that day again'
        )
    lidar = _CalibrationFile(folder / 'calib_velo_to_cam.txt')
    if not lidar.path.is_file():
        return calibration
    to_reference, rectify = np.eye(4), np.eye(4)
    to_reference[:3, :3] = lidar.matrix('R', (3, 3))
    to_reference[:3, 3] = lidar.matrix('T', (3,))
    rectify[:3, :3] = cameras.matrix('R_rect_00', (3, 3))
    return Calibration(projections, rectify @ to_reference)


def read_split(path: Path) -> list[RawFrame]:
    """The frames of a list, each once, in order.

    A line is either 'DRIVE NUMBER SIDE' or the paths of the left and the right image. Both lists
    of the Eigen split that are common come in one of these forms.

    Raises:
        DatasetError: If the file is missing or empty, or a line has neither form.
    """
    if not path.is_file():
        raise DatasetError(
            f"'{path}' is missing: give the list of the split's frames, a line DRIVE NUMBER SIDE "
            'or the paths of both images for each'
        )
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise DatasetError(f"'{path}' is empty: list the frames of the split, one a line")
    return list(dict.fromkeys(_frame(path, number, line) for number, line in enumerate(lines, 1)))


def _frame(path: Path, number: int, line: str) -> RawFrame:
    first, *others = line.split()
    drive = _DRIVE.match(first)
    name = others[0] if drive and first == drive[0] and others else Path(first).stem
    if drive is None or not name.isdigit():
        raise DatasetError(
            f"'{path}' line {number} is '{line}': expected DATE/DATE_drive_NNNN_sync NUMBER SIDE, "
            "or DATE/DATE_drive_NNNN_sync/image_02/data/NUMBER.png and the right image's path"
        )
    return RawFrame(drive[0], int(name))


class _CalibrationFile:
    """Lines 'key: numbers'."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def matrix(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        text = self._lines.get(key, '')
        try:
            return np.array([float(value) for value in text.split()]).reshape(shape)
        except ValueError as error:
            expected = ' x '.join(map(str, shape))
            raise DatasetError(
                f"'{self.path}' has {key} '{text}', expected {expected} numbers: unpack the "
                'calibration of that day again'
            ) from error

    @cached_property
    def _lines(self) -> dict[str, str]:
        if not self.path.is_file():
            raise DatasetError(
                f"'{self.path}' is missing: unpack the calibration of that day beside its "
                'recordings'
            )
        pairs = (line.partition(':') for line in self.path.read_text().splitlines())
        return {key.strip(): numbers for key, _, numbers in pairs}
