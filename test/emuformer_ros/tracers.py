"""Things whose place is known: points in front of a camera, and the blobs they make in images."""

import cv2
import numpy as np

POINTS = np.array(
    [(-1.2, -0.8, 4.0), (1.1, -0.7, 4.2), (-1.0, 0.8, 3.9), (1.3, 0.9, 4.5), (0.05, 0.1, 4.0)]
)
"""Towards the corners of the image and near its middle, metres in the optical frame."""


BLOB_RADIUS = 6.0
"""Pixels in which a blob falls to a third of its brightness; it ends at about twice that."""


def draw(size: tuple[int, int], pixels: np.ndarray, radius: float = BLOB_RADIUS) -> np.ndarray:
    """Images (N, H, W), uint8, of one soft white blob each, around a pixel (column, row)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    distances = [np.hypot(columns - u, rows - v) for u, v in pixels]
    return np.array([255 * np.exp(-((each / radius) ** 2)) for each in distances]).astype(np.uint8)


def find(image: np.ndarray) -> np.ndarray:
    """The centre (column, row) of the blob of an image (H, W) that is 0 or NaN elsewhere."""
    weights = np.nan_to_num(np.asarray(image, np.float64))
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def seen_through(projection: np.ndarray, points: np.ndarray = POINTS) -> np.ndarray:
    """Pixels (column, row) that a pinhole camera with this P (12 values) sees points at."""
    seen = np.column_stack([points, np.ones(len(points))]) @ np.reshape(projection, (3, 4)).T
    return seen[:, :2] / seen[:, 2:]


def seen_by_lens(
    camera: np.ndarray, distortion: np.ndarray, model: str, points: np.ndarray = POINTS
) -> np.ndarray:
    """Pixels that a distorted camera sees points at, as OpenCV projects them."""
    zero = np.zeros(3)
    if model == 'equidistant':
        seen, _ = cv2.fisheye.projectPoints(points[:, None], zero, zero, camera, distortion)
    else:
        seen, _ = cv2.projectPoints(points, zero, zero, camera, distortion)
    return seen.reshape(-1, 2)
