"""Which surface points the light does not reach.

Points and casters are projected along the light onto a plane across it; a caster is tested
against the points within its rectangle there.
"""

import numpy as np

from emu_model.scenes.intersect import HITS
from emu_model.scenes.primitives import Primitives
from emu_model.scenes.vectors import dot
from emu_model.scenes.visibility import Grid, Pairs

_CELLS = 192
_SUN_REACH_M = 80.0
_LAMP_REACH = 5.0
_LAMP_CLEARANCE_M = 0.01
_MARGIN = 1e-5  # Far above what rounding may do to a place.


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
        shape = primitives.shape[casters]
        casters = casters[np.argsort(shape, kind='stable')]
        ends = np.cumsum(np.bincount(shape, minlength=len(HITS)))
        self._of_shape = [
            (hit, slice(start, end)) for hit, start, end in zip(HITS.values(), [0, *ends], ends)
        ]
        self._across = _Across(light, around)
        self._positioned = bool(light[3])
        low, high = self._across.box(primitives.corners.T.take(casters, axis=2))
        self._bounds = self._across.bounds(low, high)
        self._low, self._high = self._across.shaded(low, high)
        to_unit, centre = primitives.to_unit[casters], primitives.centre[casters]
        self._turn = np.ascontiguousarray(to_unit.transpose(1, 2, 0))
        # The light and the world's origin as the unit shapes see them.
        self._offset = np.einsum('nij,nj->in', to_unit, centre)
        self._light = np.einsum('nij,j->in', to_unit, light[:3]) - light[3] * self._offset
        self._number = casters

    def on(self, points: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Which surface points the light does not reach.

        Args:
            points: World points in metres, float64 (3, P).
            owner: Primitive each point belongs to, int64 (P,): convex, so it never shades the
                side of it that faces the light.

        Returns:
            bool (P,).
        """
        place = self._across.place(points)
        cells = self._across.cells(place)
        order = np.argsort(cells, kind='stable')
        grid = Grid.of_cells(cells, _CELLS, _CELLS)
        place, points, owner = place.take(order, axis=1), points.take(order, axis=1), owner[order]
        dark = np.zeros(len(order), bool)
        for hit, own in self._of_shape:
            number, turn = self._number[own], self._turn[:, :, own]
            offset, light = self._offset[:, own], self._light[:, own]
            low, high = self._low[:, own], self._high[:, own]
            for pairs in grid.pairs(self._bounds[:, own]):
                near = ~dark.take(pairs.ray)
                near &= owner.take(pairs.ray) != pairs.of_body(number)
                near &= _within(place, low, high, pairs)
                pairs = pairs.only(near)
                position = points.take(pairs.ray, axis=1)
                origin = [
                    dot(pairs.of_body(t), position) - pairs.of_body(o)
                    for t, o in zip(turn, offset)
                ]
                direction = pairs.of_body(light)
                if self._positioned:
                    direction = [d - o for d, o in zip(direction, origin)]
                enter, leave = hit(origin, direction)
                blocked = (enter <= leave) & (leave > 0)
                if self._positioned:
                    blocked &= enter < 1
                dark[pairs.ray[blocked]] = True
        unsorted = np.empty_like(dark)
        unsorted[order] = dark
        return unsorted


def _within(place: np.ndarray, low: np.ndarray, high: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Which pairs' points lie within the boxes of their bodies, bool (P,)."""
    inside = place[2].take(pairs.ray) <= pairs.of_body(high[2])
    for axis in (0, 1):
        spot = place[axis].take(pairs.ray)
        inside &= spot >= pairs.of_body(low[axis])
        inside &= spot <= pairs.of_body(high[axis])
    return inside


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

    def place(self, points: np.ndarray) -> np.ndarray:
        """Two positions on the plane and the height above it of points (3, …), float64."""
        if self._positioned:
            # Downwards from the lamp; what hangs as high as the lamp is far out on its side.
            away = [points[i] - self._light[i] for i in range(3)]
            drop = np.maximum(-away[2], _LAMP_CLEARANCE_M)
            return np.stack([away[0] / drop, away[1] / drop, np.minimum(away[2], 0.0)])
        offset = [points[i] - self._around[i] for i in range(3)]
        return np.stack([dot(offset, axis) for axis in (self._first, self._second, self._light)])

    def box(self, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest place within bodies with corners (3, 8, N), float64 (3, N) each."""
        place = self.place(corners)
        return place.min(axis=1), place.max(axis=1)

    def shaded(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest place, likewise, that the bodies in such boxes may shade."""
        low, high = low - _MARGIN, high + _MARGIN
        if self._positioned:
            # Of what reaches up to the lamp, other parts may be further out than the corners.
            beside = high[2] > -_LAMP_CLEARANCE_M
            low[:2, beside], high[:2, beside] = -np.inf, np.inf
        return low, high

    def _index(self, coordinate: np.ndarray) -> np.ndarray:
        cell = np.floor((coordinate / self._reach + 1) * (_CELLS / 2))
        return np.clip(cell, 0, _CELLS - 1).astype(np.int64)

    def cells(self, place: np.ndarray) -> np.ndarray:
        """Cell of each place, uint16 (P,): small numbers sort quickly."""
        return (self._index(place[1]) * _CELLS + self._index(place[0])).astype(np.uint16)

    def bounds(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Rectangle of cells of each box, int64 (4, N)."""
        (u, v), (end_u, end_v) = self._index(low[:2]), self._index(high[:2]) + 1
        return np.stack([u, end_u, v, end_v])
