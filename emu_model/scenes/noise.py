"""Value noise from integer hashes: the same on every machine, no tables, no transcendentals."""

import numpy as np


def hash_unit(i: np.ndarray, j: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """A random number of [0, 1) for every lattice point and seed.

    Args:
        i: First lattice coordinate, int32 (N,).
        j: Second lattice coordinate, int32 (N,).
        seed: Which of many noises, uint32 (N,).

    Returns:
        float32 (N,).
    """
    h = i.view(np.uint32) * np.uint32(0x9E3779B1)
    h ^= j.view(np.uint32) * np.uint32(0x85EBCA77)
    h ^= seed * np.uint32(0xC2B2AE3D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


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
    i, j = left.astype(np.int32), low.astype(np.int32)
    right, top = i + np.int32(1), j + np.int32(1)
    below = hash_unit(i, j, seed)
    below += s * (hash_unit(right, j, seed) - below)
    above = hash_unit(i, top, seed)
    above += s * (hash_unit(right, top, seed) - above)
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
        shown = np.flatnonzero(visible)
        if not shown.size:
            break
        cell = value_noise(
            np.float32(scale) * x.take(shown), np.float32(scale) * y.take(shown), seed.take(shown)
        )
        total[shown] += np.float32(amplitude) * visible.take(shown) * (cell - np.float32(0.5))
        amplitude, scale = 0.6 * amplitude, 2.17 * scale
        seed = seed + np.uint32(1)
    return total
