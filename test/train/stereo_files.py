"""Tiny trees in the published formats of stereo data sets."""

import json
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 32, 48
DAY = '2011_09_26'
DRIVE = f'{DAY}/{DAY}_drive_0001_sync'

# The colour cameras of that day, from its published calibration.
P_RECT_02 = '7.215377e+02 0.0 6.095593e+02 4.485728e+01 0.0 7.215377e+02 1.728540e+02 2.163791e-01 0.0 0.0 1.0 2.745884e-03'  # noqa: E501
P_RECT_03 = '7.215377e+02 0.0 6.095593e+02 -3.395242e+02 0.0 7.215377e+02 1.728540e+02 2.199936e+00 0.0 0.0 1.0 2.729905e-03'  # noqa: E501
R_RECT_00 = '9.999239e-01 9.837760e-03 -7.445048e-03 -9.869795e-03 9.999421e-01 -4.278459e-03 7.402527e-03 4.351614e-03 9.999631e-01'  # noqa: E501
VELO_R = '7.533745e-03 -9.999714e-01 -6.166020e-04 1.480249e-02 7.280733e-04 -9.998902e-01 9.998621e-01 7.523790e-03 1.480755e-02'  # noqa: E501
VELO_T = '-4.069766e-03 -7.631618e-02 -2.717806e-01'


def noise_image(seed: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """RGB noise."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def write_image(path: Path, values: np.ndarray) -> Path:
    """Write an RGB image or a map."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values[..., ::-1] if values.ndim == 3 else values)
    return path


def write_kitti_raw(root: Path, frames: int = 2) -> None:
    """A recording with images of both cameras, and the calibration of its day."""
    for number in range(frames):
        for camera in ('02', '03'):
            path = root / DRIVE / f'image_{camera}' / 'data' / f'{number:010d}.png'
            write_image(path, noise_image(10 * number + int(camera)))
    (root / DAY / 'calib_cam_to_cam.txt').write_text(
        'calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\n'
        f'R_rect_00: {R_RECT_00}\nP_rect_02: {P_RECT_02}\nP_rect_03: {P_RECT_03}\n'
    )
    (root / DAY / 'calib_velo_to_cam.txt').write_text(
        f'calib_time: 15-Mar-2012 11:37:16\nR: {VELO_R}\nT: {VELO_T}\n'
    )


def write_cityscapes(root: Path, city: str = 'ulm', frames: int = 2) -> list[str]:
    """Pairs of the train split with labels of the left images; returns their names."""
    names = [f'{city}_{number:06d}_000019' for number in range(frames)]
    for number, name in enumerate(names):
        for kind in ('leftImg8bit', 'rightImg8bit'):
            image = noise_image(2 * number + (kind[0] == 'r'))
            write_image(root / kind / 'train' / city / f'{name}_{kind}.png', image)
        labels = np.full((HEIGHT, WIDTH), 7 + number, np.uint8)
        write_image(root / 'gtFine' / 'train' / city / f'{name}_gtFine_labelIds.png', labels)
        camera = root / 'camera' / 'train' / city / f'{name}_camera.json'
        camera.parent.mkdir(parents=True, exist_ok=True)
        camera.write_text(
            json.dumps(
                {
                    'extrinsic': {'baseline': 0.209313},
                    'intrinsic': {'fx': 2262.52, 'fy': 2265.30, 'u0': 1096.98, 'v0': 513.137},
                }
            )
        )
    return names
