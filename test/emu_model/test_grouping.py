"""Offsets against plain loops, and instances against the objects they were made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass
from sklearn.metrics import adjusted_rand_score

from emu_model import grouping
from emu_model.grouping import GROUPINGS, centroid_offsets, group_by_votes

SIZE = (64, 96)
ROAD, CAR, PERSON = 0, 3, 7


def scene(seed, count=9):
    """Discs of two classes, far enough apart to be told apart, over a road."""
    rng = np.random.default_rng(seed)
    ids, classes = np.zeros(SIZE, np.uint16), np.full(SIZE, ROAD, np.uint8)
    rows, columns = np.indices(SIZE)
    places = [(r, c) for r in (10, 32, 54) for c in range(10, 96, 19)]
    for number, place in enumerate(rng.permutation(places)[:count], 1):
        centre, radius = place + rng.uniform(-1, 1, 2), rng.uniform(3, 8)
        disc = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
        ids[disc], classes[disc] = 400 + number, rng.choice([CAR, PERSON])
    return ids, classes


@pytest.mark.parametrize('seed', range(3))
def test_offsets_lead_to_the_centre_of_mass(seed):
    ids, _ = scene(seed)
    offsets = centroid_offsets(ids)
    assert offsets.dtype == np.float32
    for number in np.unique(ids[ids > 0]):
        row, column = center_of_mass(ids == number)
        for y, x in np.argwhere(ids == number):
            np.testing.assert_allclose(offsets[:, y, x], (column - x, row - y), atol=1e-4)
    assert not offsets[:, ids == 0].any()


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_mirrored_scene_has_mirrored_offsets(seed):
    ids, _ = scene(seed, 5)
    right, down = centroid_offsets(ids)
    mirrored_right, mirrored_down = centroid_offsets(ids[:, ::-1])
    np.testing.assert_allclose(mirrored_right, -right[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(mirrored_down, down[:, ::-1], atol=1e-4)


@pytest.mark.parametrize('name', GROUPINGS)
@pytest.mark.parametrize('noise_px', [0.0, 0.7])
def test_objects_are_found_again_from_their_votes(name, noise_px):
    for seed in range(3):
        ids, classes = scene(seed)
        offsets = centroid_offsets(ids)
        offsets += noise_px * np.random.default_rng(seed).standard_normal(offsets.shape)
        found = GROUPINGS[name](classes, *offsets.astype(np.float32), (CAR, PERSON))
        assert found.dtype == np.uint16
        on_object = ids > 0
        assert not found[~on_object].any()
        assert len(np.unique(found[on_object])) == len(np.unique(ids[on_object]))
        assert adjusted_rand_score(ids[on_object], found[on_object]) > 0.97


def test_objects_of_two_classes_are_two_even_at_one_place():
    classes = np.full((20, 20), ROAD, np.uint8)
    classes[4:16, 4:10], classes[4:16, 10:16] = CAR, PERSON
    offsets = centroid_offsets((classes != ROAD).astype(int))
    found = group_by_votes(classes, *offsets, (CAR, PERSON))
    assert set(np.unique(found)) == {0, 1, 2}
    assert len(np.unique(found[classes == CAR])) == 1


def test_what_is_no_thing_or_too_small_is_no_instance():
    ids, classes = scene(0)
    offsets = centroid_offsets(ids)
    assert not group_by_votes(classes, *offsets, ()).any()
    speck = np.full((20, 20), ROAD, np.uint8)
    speck[3, 3:8] = CAR
    assert not group_by_votes(speck, *np.zeros((2, 20, 20)), (CAR,), least_pixels=6).any()
    assert group_by_votes(speck, *np.zeros((2, 20, 20)), (CAR,), least_pixels=5).any()


def test_votes_of_an_untrained_head_do_no_harm():
    rng = np.random.default_rng(0)
    wild = (1e6 * rng.standard_normal((2, *SIZE))).astype(np.float32)
    wild[0, 0] = np.nan
    wild[1, 1] = np.inf
    found = group_by_votes(np.full(SIZE, CAR, np.uint8), *wild, (CAR,), least_pixels=10)
    ids, pixels = np.unique(found[found > 0], return_counts=True)
    assert len(ids) > 0
    assert list(ids) == list(range(1, len(ids) + 1))
    assert pixels.min() >= 10


def test_each_pixel_joins_the_peak_nearest_to_its_vote():
    rng = np.random.default_rng(0)
    centres = np.array([[20, 20], [20, 60], [60, 20], [60, 60], [40, 40]], np.float32)
    rows, columns = np.indices((80, 80))
    pointed_at = rng.integers(len(centres), size=(80, 80))
    votes = centres[pointed_at] + rng.normal(0, 1.5, (80, 80, 2))
    offsets = np.stack([votes[..., 0] - columns, votes[..., 1] - rows]).astype(np.float32)
    found = group_by_votes(np.full((80, 80), CAR, np.uint8), *offsets, (CAR,), bandwidth_px=4)
    distances = np.linalg.norm(votes[:, :, None] - centres, axis=-1)
    nearest, second = np.sort(distances, axis=-1)[..., :2].transpose(2, 0, 1)
    clear = second - nearest > 1
    assert clear.mean() > 0.99
    assert adjusted_rand_score(distances.argmin(axis=-1)[clear], found[clear]) == 1


def test_the_work_grows_with_the_places_voted_for_and_not_with_the_votes(monkeypatch):
    compared = []

    def count(places, peaks):
        compared.append(len(places))
        return nearest(places, peaks)

    nearest = grouping._nearest
    monkeypatch.setattr(grouping, '_nearest', count)
    ids, classes = scene(0)
    ids, classes = (np.kron(each, np.ones((4, 4), each.dtype)) for each in (ids, classes))
    found = group_by_votes(classes, *centroid_offsets(ids), (CAR, PERSON))
    assert len(compared) == 2
    assert sum(compared) < 2 * found.max() < np.count_nonzero(found) / 100
