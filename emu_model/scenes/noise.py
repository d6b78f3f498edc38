"""Value noise from integer hashes: the same on every machine, no tables, no transcendentals."""

import numpy as np

_ACROSS, _UPWARDS, _SEED = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
# What the products change by from one lattice point to the next.
_NEXT_COLUMN = np.array([[0], [_ACROSS]], np.uint32)
_NEXT_ROW = np.array([[0], [_UPWARDS]], np.uint32)


def _scrambled(h: np.ndarray) -> np.ndarray:
    """A random number of [0, 1), float32, for every number of an uint32 array, which changes."""
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    h >>= np.uint32(8)
    # Of 24 bits: as signed numbers they are converted several times as fast.
    unit = h.view(np.int32).astype(np.float32)
    unit *= np.float32(2.0**-24)
    return unit


def hash_unit(i: np.ndarray, j: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """A random number of [0, 1) for every lattice point and seed.

    Args:
        i: First lattice coordinate, int32 (N,).
        j: Second lattice coordinate, int32 (N,).
        seed: Which of many noises, uint32 (N,).

    Returns:
        float32 (N,).
    """
    return _scrambled(i.view(np.uint32) * _ACROSS ^ j.view(np.uint32) * _UPWARDS ^ seed * _SEED)


def value_noise(x: np.ndarray, y: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Smooth noise of [0, 1) with one random value per unit square.

    Args:
        x: First coordinate, float32 (N,).
        y: Second coordinate, float32 (N,).
        seed: Which of many noises, uint32 (N,).

    Returns:
        float32 (N,).
    """
    left, low = np.floor(x), np.floor(y)
    s, t = x - left, y - low
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    # hash_unit at the four corners around each point.
    columns = left.astype(np.int32).view(np.uint32) * _ACROSS + _NEXT_COLUMN
    rows = low.astype(np.int32).view(np.uint32) * _UPWARDS + _NEXT_ROW
    rows ^= seed * _SEED
    (below, right), (above, far) = _scrambled(rows[:, None] ^ columns)
    below += s * (right - below)
    above += s * (far - above)
    return below + t * (above - below)


def fractal_noise(
    x: np.ndarray, y: np.ndarray, footprint: np.ndarray, seed: np.ndarray, octaves: int = 3
) -> np.ndarray:
    """Octaves of value noise around zero, within about ±½.

    An octave fades out where its cells get smaller than a pixel, as they would in a real
    image, which averages over the pixel.

    Args:
        x: First coordinate in cells of the coarsest octave, float32 (N,).
        y: Second coordinate, likewise.
        footprint: Size of a pixel in these cells, float32 (N,).
        seed: Which of many noises, uint32 (N,).
        octaves: How many, each of twice the frequency and 0.6 of the amplitude.

    Returns:
        float32 (N,).
    """
    total = np.zeros_like(x)
    amplitude, scale = 0.6, 1.0
    for _ in range(octaves):
        visible = np.clip(np.float32(1.5) - np.float32(1.5 * scale) * footprint, 0, 1)
        # What is true is found in a tenth of the time that it takes to find what is not zero.
        shown = (visible > 0).nonzero()[0]
        if not shown.size:
            break
        cell = value_noise(
            np.float32(scale) * x.take(shown), np.float32(scale) * y.take(shown), seed.take(shown)
        )
        total[shown] += np.float32(amplitude) * visible.take(shown) * (cell - np.float32(0.5))
        amplitude, scale = 0.6 * amplitude, 2.17 * scale
        seed = seed + np.uint32(1)
    return total
