"""Vectors as three components, each an array or a number."""

from collections.abc import Sequence

import numpy as np

Components = Sequence[np.ndarray | np.floating | float]


def dot(first: Components, second: Components) -> np.ndarray:
    """Inner products of vectors of one floating type: x·x + y·y + z·z, in this order."""
    total = first[0] * second[0]
    total += first[1] * second[1]
    total += first[2] * second[2]
    return total
