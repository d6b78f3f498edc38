"""Which surface points the light does not reach.

Points and casters are projected along the light onto a plane across it; a caster is tested
against the points within its rectangle there.
"""

import numpy as np

from emu_model.scenes.intersect import HITS
from emu_model.scenes.primitives import Primitives
from emu_model.scenes.vectors import dot
from emu_model.scenes.visibility import Grid

_CELLS = 128
_SUN_REACH_M = 80.0
_LAMP_REACH = 5.0
_LAMP_CLEARANCE_M = 0.01


class Shadows:
    """The shadows of some primitives in one light.

    Args:
        primitives: All primitives of the scene, as `owner` counts them.
        casters: Which of them throw shadows, int64 (N,).
        light: Homogeneous light: direction towards it and 0, or position and 1.
        around: Where the finest part of the shadows is wanted, in metres: the camera.
    """

    def __init__(
        self,
        primitives: Primitives,
        casters: np.ndarray,
        light: tuple[float, float, float, float],
        around: tuple[float, float, float],
    ) -> None:
        self._across = _Across(light, around)
        self._positioned = bool(light[3])
        self._bounds = self._across.bounds(primitives.corners[casters])
        to_unit, centre = primitives.to_unit[casters], primitives.centre[casters]
        self._turn = np.ascontiguousarray(to_unit.transpose(1, 2, 0))
        # The light and the world's origin as the unit shapes see them.
        self._offset = np.einsum('nij,nj->in', to_unit, centre)
        self._light = np.einsum('nij,j->in', to_unit, light[:3]) - light[3] * self._offset
        self._number = casters
        shape = primitives.shape[casters]
        self._of_shape = [(hit, np.flatnonzero(shape == kind)) for kind, hit in HITS.items()]

    def on(self, points: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Which surface points the light does not reach.

        Args:
            points: World points in metres, float64 (3, P).
            owner: Primitive each point belongs to, int64 (P,): convex, so it never shades the
                side of it that faces the light.

        Returns:
            bool (P,).
        """
        cells = self._across.cells(points)
        order = np.argsort(cells, kind='stable')
        grid = Grid.of_cells(cells, _CELLS, _CELLS)
        x, y, z = points.take(order, axis=1)
        owner = owner[order]
        dark = np.zeros(len(order), bool)
        for hit, own in self._of_shape:
            number, turn = self._number[own], self._turn[:, :, own]
            offset, light = self._offset[:, own], self._light[:, own]
            for pairs in grid.pairs(self._bounds[:, own]):
                point, body = pairs.ray, pairs.of_body(np.arange(len(own)))
                lit = (~dark[point] & (owner.take(point) != number.take(body))).nonzero()[0]
                body, point = body.take(lit), point.take(lit)
                position = x.take(point), y.take(point), z.take(point)
                origin = tuple(
                    dot([part.take(body) for part in t], position) - o.take(body)
                    for t, o in zip(turn, offset)
                )
                direction = tuple(part.take(body) for part in light)
                if self._positioned:
                    direction = tuple(d - o for d, o in zip(direction, origin))
                enter, leave = hit(origin, direction)
                blocked = (enter <= leave) & (leave > 0)
                if self._positioned:
                    blocked &= enter < 1
                dark[point[blocked]] = True
        unsorted = np.empty_like(dark)
        unsorted[order] = dark
        return unsorted


class _Across:
    """A grid on the plane across the light; what lies beyond belongs to its outermost cells."""

    def __init__(
        self, light: tuple[float, float, float, float], around: tuple[float, float, float]
    ) -> None:
        self._light = np.array(light[:3])
        self._positioned = bool(light[3])
        self._reach = _LAMP_REACH if self._positioned else _SUN_REACH_M
        x, y = light[:2]
        level = np.hypot(x, y) + 1e-9
        self._first = np.array([-y / level, (x + 1e-9) / level, 0.0])
        self._second = np.cross(self._light, self._first)
        self._around = around

    def _coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions on the plane of points (3, …)."""
        if self._positioned:
            # Downwards from the lamp; what hangs as high as the lamp is far out on its side.
            away = [points[i] - self._light[i] for i in range(3)]
            drop = np.maximum(-away[2], _LAMP_CLEARANCE_M)
            return away[0] / drop, away[1] / drop
        offset = [points[i] - self._around[i] for i in range(3)]
        return dot(offset, self._first), dot(offset, self._second)

    def _index(self, coordinate: np.ndarray) -> np.ndarray:
        cell = np.floor((coordinate / self._reach + 1) * (_CELLS / 2))
        return np.clip(cell, 0, _CELLS - 1).astype(np.int64)

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Cell of each point, uint16 (P,): small numbers sort quickly."""
        u, v = self._coordinates(points)
        return (self._index(v) * _CELLS + self._index(u)).astype(np.uint16)

    def bounds(self, corners: np.ndarray) -> np.ndarray:
        """Rectangle of cells of bodies with these corners (N, 8, 3), int64 (4, N)."""
        u, v = self._coordinates(np.moveaxis(corners, -1, 0))
        u, v = self._index(u), self._index(v)
        return np.stack([u.min(axis=1), u.max(axis=1) + 1, v.min(axis=1), v.max(axis=1) + 1])
