"""Rays against unit shapes.

Primitives are affine images of a cube, a ball and a cylinder within [-1, 1]³. The affine map
keeps the ray parameter, so a hit with the unit shape is a hit with the primitive.
"""

from collections.abc import Callable

import numpy as np

from emu_model.scenes.primitives import Shape
from emu_model.scenes.vectors import Components, dot

_TINY = 1e-12


def _slab(origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A ray within the plane of a slab's faces is inside or outside for all its length; a tiny
    # direction instead of none makes the division say so.
    inverse = direction + _TINY
    np.divide(1.0, inverse, out=inverse)
    middle = origin * inverse
    reach = np.abs(inverse, out=inverse)
    leave = reach - middle
    middle += reach
    return np.negative(middle, out=middle), leave


def hit_box(origin: Components, direction: Components) -> tuple[np.ndarray, np.ndarray]:
    """Ray parameters where rays enter and leave the cube; enter > leave for a miss.

    Args:
        origin: x, y and z of the ray origins, float64 (N,) each or scalars.
        direction: x, y and z of the ray directions, float64 (N,) each.
    """
    enter, leave = _slab(origin[0], direction[0])
    for axis in (1, 2):
        near, far = _slab(origin[axis], direction[axis])
        np.maximum(enter, near, out=enter)
        np.minimum(leave, far, out=leave)
    return enter, leave


def hit_ellipsoid(origin: Components, direction: Components) -> tuple[np.ndarray, np.ndarray]:
    """As `hit_box`, for the ball."""
    square = dot(direction, direction)
    middle = -dot(origin, direction) / square
    # The distance of the closest point from the centre, rather than o² − 1 − (o·d)²/d²: the
    # latter cancels for small balls far away.
    closest = tuple(o + middle * d for o, d in zip(origin, direction))
    beside = dot(closest, closest)
    return _around(middle, (1.0 - beside) / square)


def hit_cylinder(origin: Components, direction: Components) -> tuple[np.ndarray, np.ndarray]:
    """As `hit_box`, for the cylinder around z."""
    square = np.maximum(direction[0] ** 2 + direction[1] ** 2, _TINY**2)
    middle = -(origin[0] * direction[0] + origin[1] * direction[1]) / square
    beside = sum((origin[i] + middle * direction[i]) ** 2 for i in (0, 1))
    enter, leave = _around(middle, (1.0 - beside) / square)
    bottom, top = _slab(origin[2], direction[2])
    return np.maximum(enter, bottom), np.minimum(leave, top)


def _around(middle: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reach = np.sqrt(np.maximum(square, 0.0))
    return np.where(square < 0, np.inf, middle - reach), middle + reach


HITS: dict[Shape, Callable[[Components, Components], tuple[np.ndarray, np.ndarray]]] = {
    Shape.BOX: hit_box,
    Shape.ELLIPSOID: hit_ellipsoid,
    Shape.CYLINDER: hit_cylinder,
}
