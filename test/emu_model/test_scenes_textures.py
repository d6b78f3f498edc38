"""Noise and the filters that keep textures from aliasing, against plain integrals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu_model.scenes.noise import fractal_noise, hash_unit, value_noise
from emu_model.scenes.textures import repeated, within

SEED = np.uint32(7)


def grid(low, high, count):
    x, y = np.meshgrid(*(np.linspace(low, high, count, dtype=np.float32),) * 2)
    return x.ravel(), y.ravel()


def test_hashes_are_uniform_and_differ_between_seeds_and_axes():
    i, j = (a.ravel().astype(np.int32) for a in np.mgrid[-150:150, -150:150])
    seeds = np.full(len(i), SEED)
    values = hash_unit(i, j, seeds)
    assert (values >= 0).all()
    assert (values < 1).all()
    counts = np.bincount((values * 20).astype(int), minlength=20)
    # Each bin holds 4500 of 90 000, give or take five standard deviations of 65.
    assert np.abs(counts - 4500).max() < 330
    for other in (hash_unit(i, j, seeds + np.uint32(1)), hash_unit(j, i, seeds)):
        assert abs(np.corrcoef(values[i != j], other[i != j])[0, 1]) < 0.02


def test_value_noise_is_the_hash_at_lattice_points_and_continuous_between():
    i = np.arange(-20, 20, dtype=np.int32)
    seeds = np.full(len(i), SEED)
    at_lattice = value_noise(i.astype(np.float32), np.full(len(i), 3, np.float32), seeds)
    np.testing.assert_array_equal(at_lattice, hash_unit(i, np.full_like(i, 3), seeds))
    x = np.linspace(-5, 5, 20001, dtype=np.float32)
    along = value_noise(x, np.full_like(x, 0.3), np.full(len(x), SEED))
    # The steepest part of the interpolation is 1.5 per cell, the step is 5e-4 cells.
    assert np.abs(np.diff(along)).max() < 1.6 * 5e-4


def test_noise_smaller_than_a_pixel_fades_to_its_mean():
    x, y = grid(0, 50, 100)
    seeds = np.full(len(x), SEED)
    near, far = (fractal_noise(x, y, np.full_like(x, f), seeds) for f in (0.01, 1.0))
    assert near.std() > 0.1
    assert abs(near.mean()) < 0.05
    np.testing.assert_array_equal(far, 0)


@given(
    x=st.floats(-20, 20),
    low=st.floats(0, 0.6),
    share=st.floats(0.01, 0.4),
    width=st.floats(0.01, 5),
)
def test_a_periodic_band_is_averaged_over_the_pixel(x, low, share, width):
    high = low + share
    fine = x + width * ((np.arange(4000) + 0.5) / 4000 - 0.5)
    phase = fine - np.floor(fine)
    expected = ((phase >= low) & (phase < high)).mean()
    actual = repeated(np.array([x]), low, high, np.array([width]))[0]
    assert actual == pytest.approx(expected, abs=12 / 4000)  # up to six periods' edges


@given(x=st.floats(-3, 3), low=st.floats(-2, 0), share=st.floats(0, 2), width=st.floats(0.01, 5))
def test_a_band_is_averaged_over_the_pixel(x, low, share, width):
    fine = x + width * ((np.arange(4000) + 0.5) / 4000 - 0.5)
    expected = ((fine >= low) & (fine < low + share)).mean()
    actual = within(np.array([x]), low, low + share, np.array([width]))[0]
    assert actual == pytest.approx(expected, abs=2 / 4000)
