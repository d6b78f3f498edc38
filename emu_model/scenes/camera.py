"""Where the camera is and what it can see."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from emu_model.geometry import Intrinsics
from emu_model.scenes.primitives import Primitives

NEAR_M = 0.05
"""Nothing closer than this is drawn."""

# The twelve edges of a box as pairs of corner numbers, in the order of Primitives.corners.
_EDGES = np.array([(i, i | 1 << k) for k in range(3) for i in range(8) if not i >> k & 1])


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the world.

    Attributes:
        intrinsics: Focal lengths and principal point in pixels.
        height: Rows of the image.
        width: Columns of the image.
        position: Centre of projection in metres, (x, y, z).
        yaw: Heading in radians, counter-clockwise from +x.
        pitch: Elevation of the optical axis in radians, upwards.
        roll: Rotation about the optical axis in radians, clockwise as seen by the camera.
    """

    intrinsics: Intrinsics
    height: int
    width: int
    position: tuple[float, float, float]
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @cached_property
    def axes(self) -> np.ndarray:
        """Right, down and forward in the world: the rows of an orthonormal (3, 3) float64."""
        cy, sy = math.cos(self.yaw), math.sin(self.yaw)
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        forward = np.array([cp * cy, cp * sy, sp])
        right = np.array([sy, -cy, 0.0])
        down = np.array([sp * cy, sp * sy, -cp])
        return np.stack([cr * right + sr * down, cr * down - sr * right, forward])

    def moved_right(self, distance_m: float) -> 'Camera':
        """The same camera, moved along its own x axis."""
        x, y, z = (np.array(self.position) + distance_m * self.axes[0]).tolist()
        return replace(self, position=(x, y, z))

    def rays(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions through image points, as x and y in the optical frame where z is 1."""
        k = self.intrinsics
        return (u - k.cx) / k.fx, (v - k.cy) / k.fy

    def directions(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Ray directions (x, y, 1) of the optical frame in the world, float64 (3, N)."""
        right, down, forward = self.axes
        return np.stack([right[k] * x + down[k] * y + forward[k] for k in range(3)])

    def points(self, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """World points at depths along such rays, float64 (3, N)."""
        return np.array(self.position)[:, None] + depth * self.directions(x, y)

    def bounds(self, primitives: Primitives) -> np.ndarray:
        """Pixels that primitives may cover, clipped to the image and to NEAR_M.

        Returns:
            First column, end column, first row, end row of each primitive, int64 (4, N); those
            out of sight have no columns or no rows. Pixels that are touched beside their centre
            are included.
        """
        # Corners first, primitives last: NumPy is at its fastest along the longest axis.
        points = primitives.corners.transpose(1, 2, 0)
        k = self.intrinsics
        seen = self.axes @ (points - np.array(self.position)[:, None])
        z = seen[:, 2]
        visible = z >= NEAR_M
        with np.errstate(divide='ignore', invalid='ignore'):
            u = k.fx * seen[:, 0] / z + k.cx
            v = k.fy * seen[:, 1] / z + k.cy
        low = np.stack([_smallest(u, visible), _smallest(v, visible)])
        high = -np.stack([_smallest(-u, visible), _smallest(-v, visible)])

        cut = np.flatnonzero(visible.any(axis=0) & ~visible.all(axis=0))
        if cut.size:
            start, end = seen.take(cut, axis=2)[_EDGES.T]
            crossing = (start[:, 2] >= NEAR_M) != (end[:, 2] >= NEAR_M)
            rise = np.where(crossing, end[:, 2] - start[:, 2], 1.0)
            share = (NEAR_M - start[:, 2]) / rise
            at_near = start + share[:, None] * (end - start)
            for axis, (focal, centre) in enumerate(((k.fx, k.cx), (k.fy, k.cy))):
                image = focal * at_near[:, axis] / NEAR_M + centre
                low[axis, cut] = np.minimum(low[axis, cut], _smallest(image, crossing))
                high[axis, cut] = np.maximum(high[axis, cut], -_smallest(-image, crossing))

        limit = np.array([[self.width], [self.height]])
        # The pixel around an image coordinate u is the one at floor(u + ½).
        first = np.clip(np.floor(low + 0.5 - 1e-6), 0, limit)
        end = np.clip(np.floor(high + 0.5 + 1e-6) + 1, first, limit)
        return np.stack([first[0], end[0], first[1], end[1]]).astype(np.int64)


def _smallest(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.where(valid, values, np.inf).min(axis=0)
