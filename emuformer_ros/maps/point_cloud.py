"""The maps of a frame as an organised point cloud."""

import array
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emu_model.labels import UNLABELLED

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo, PointCloud2
    from std_msgs.msg import Header

FIELDS = ('x', 'y', 'z', 'rgb', 'label', 'depth_std')
"""Of a point, four bytes each: float32, but for the class id in `label`, which is uint32."""

_POINT_STEP = 4 * len(FIELDS)


class PointClouds:
    """Makes clouds; those of one size share a message, for a few sizes.

    To allocate one for each would take many times as long as to fill it. Publish each before the
    next is made.
    """

    def __init__(self) -> None:
        self._blank = lru_cache(maxsize=8)(_blank_cloud)

    def make(
        self,
        header: 'Header',
        camera_info: 'CameraInfo',
        depth: np.ndarray,
        depth_std: np.ndarray,
        image: np.ndarray,
        classes: np.ndarray | None,
    ) -> 'PointCloud2':
        """A cloud with a point for each pixel of the depth, in its rows and columns.

        The geometry is that of depth_image_proc: the projection matrix P, of a rectified image,
        without its fourth column; K where the camera has no P. Lens distortion is not undone.

        Args:
            header: Of the image; the points are in its optical frame.
            camera_info: Of the camera at the size of the depth.
            depth: Along the optical axis in metres, float32 (H, W); NaN makes the point NaN.
            depth_std: Standard deviation of the depth in metres, float32 (H, W).
            image: RGB, uint8 (H, W, 3).
            classes: Class ids, uint8 (H, W); all points are unlabelled without.

        Returns:
            A PointCloud2 with FIELDS, x, y and z in metres, not dense. `rgb` is packed as PCL
            and RViz read it: 0x00RRGGBB in the bits of a float. `label` is 255 where there is no
            class.
        """
        height, width = depth.shape
        cloud = self._blank(height, width)
        cloud.header = header
        points = np.frombuffer(cloud.data, '<f4').reshape(height, width, len(FIELDS))
        integers = points.view('<u4')
        columns, rows = _rays(camera_info, (height, width))
        np.multiply(depth, columns, out=points[..., 0])
        np.multiply(depth, rows, out=points[..., 1])
        points[..., 2] = depth
        bgra = cv2.cvtColor(image, cv2.COLOR_RGB2BGRA).view('<u4')[..., 0]
        np.bitwise_and(bgra, 0xFFFFFF, out=integers[..., 3])
        integers[..., 4] = UNLABELLED if classes is None else classes
        points[..., 5] = depth_std
        return cloud


def _blank_cloud(height: int, width: int) -> 'PointCloud2':
    """A message with room for the points."""
    from sensor_msgs.msg import PointCloud2

    return PointCloud2(
        height=height,
        width=width,
        fields=_point_fields(),
        is_bigendian=False,
        point_step=_POINT_STEP,
        row_step=width * _POINT_STEP,
        data=array.array('B', [0]) * (height * width * _POINT_STEP),
        is_dense=False,
    )


def _rays(info: 'CameraInfo', size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x/z of each column (W) and y/z of each row (H, 1), float32."""
    height, width = size
    fx, cx, fy, cy = (
        (info.p[0], info.p[2], info.p[5], info.p[6])
        if info.p[0] > 0 and info.p[5] > 0
        else (info.k[0], info.k[2], info.k[4], info.k[5])
    )
    columns = (np.arange(width) - cx) / fx
    rows = (np.arange(height) - cy) / fy
    return columns.astype(np.float32), rows.astype(np.float32)[:, None]


def _point_fields() -> list:
    from sensor_msgs.msg import PointField

    return [
        PointField(
            name=name,
            offset=4 * index,
            datatype=PointField.UINT32 if name == 'label' else PointField.FLOAT32,
            count=1,
        )
        for index, name in enumerate(FIELDS)
    ]
