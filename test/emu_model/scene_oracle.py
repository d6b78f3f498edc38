"""Solids of scenes by their definition, for the tests of what traces them."""

import numpy as np

from emu_model.scenes.primitives import Primitives


def contained(primitives: Primitives, points: np.ndarray) -> np.ndarray:
    """Which points lie inside which primitive, bool (N, points).

    Args:
        primitives: N of them.
        points: World points in metres, float64 (points, 3).
    """
    offset = points[None, :, :] - primitives.centre[:, None, :]
    unit = np.einsum('nij,npj->npi', primitives.to_unit, offset)
    squares = unit**2
    in_slab = np.abs(unit[..., 2]) < 1
    inside = [
        (np.abs(unit) < 1).all(axis=-1),
        squares.sum(axis=-1) < 1,
        (squares[..., :2].sum(axis=-1) < 1) & in_slab,
    ]
    return np.choose(primitives.shape[:, None], inside)
