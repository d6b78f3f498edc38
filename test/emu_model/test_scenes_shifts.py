import math
from dataclasses import replace

import numpy as np
import pytest

from emu_model import scenes
from emu_model.labels import UNLABELLED
from emu_model.scenes.dice import Dice
from emu_model.scenes.drawing import look
from emu_model.scenes.generate import build
from emu_model.scenes.primitives import Primitives
from emu_model.scenes.sensor import blurred, expose
from emu_model.scenes.world import Sensor

KINDS = ('street', 'indoor')
PHOTOMETRIC = [name for name in scenes.SHIFTS if name != 'unknown_objects']


def test_the_promised_shifts_are_there():
    assert {'fog', 'night', 'noise', 'blur', 'unknown_objects'} <= set(scenes.SHIFTS)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shift', PHOTOMETRIC)
def test_a_photometric_shift_changes_the_picture_alone(kind, shift):
    plain = scenes.render(kind, 4, 48, 64, time_s=1.0)
    shifted = scenes.render(kind, 4, 48, 64, time_s=1.0, shift=shift)
    np.testing.assert_array_equal(shifted.depth, plain.depth)
    np.testing.assert_array_equal(shifted.classes, plain.classes)
    np.testing.assert_array_equal(shifted.instances, plain.instances)
    assert np.abs(shifted.image.astype(int) - plain.image).mean() > 4


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shift', scenes.SHIFTS)
def test_no_strength_is_no_shift_and_more_strength_is_more_shift(kind, shift):
    def picture(strength):
        seed = 3 if kind == 'street' else 14
        frame = scenes.render(kind, seed, 48, 64, shift=shift, shift_strength=strength)
        return frame.image.astype(int)

    np.testing.assert_array_equal(
        picture(0.0), scenes.render(kind, 3 if kind == 'street' else 14, 48, 64).image
    )
    half, whole = (np.abs(picture(s) - picture(0.0)).mean() for s in (0.5, 1.0))
    assert 0 < half < whole if shift != 'unknown_objects' else 0 <= half <= whole != 0


@pytest.mark.parametrize('kind', KINDS)
def test_unknown_objects_are_unlabelled_and_have_exact_depth(kind):
    found = 0
    for seed in range(12):
        plain = scenes.render(kind, seed, 48, 64)
        shifted = scenes.render(kind, seed, 48, 64, shift='unknown_objects')
        unknown = shifted.classes == UNLABELLED
        found += unknown.any()
        np.testing.assert_array_equal(shifted.depth[~unknown], plain.depth[~unknown])
        np.testing.assert_array_equal(shifted.classes[~unknown], plain.classes[~unknown])
        assert (shifted.depth[unknown] < plain.depth[unknown]).all()
        assert (shifted.instances[unknown] > 0).all()
    assert found >= 8


@pytest.mark.parametrize('kind', KINDS)
def test_unknown_objects_stay_where_they_are_while_the_camera_moves(kind):
    def centres(time_s):
        world = build(kind, 2, 24, 32, time_s=time_s, shift='unknown_objects')
        parts = world.primitives.select(world.primitives.classes == UNLABELLED)
        return {tuple(row) for row in np.round(parts.centre, 9).tolist()}

    first, later = centres(0.0), centres(0.5)
    assert len(first & later) > 0.7 * len(first) > 0


def test_fog_is_koschmieders_law():
    world = build('street', 5, 36, 48)
    builder = world.primitives
    ground = Primitives(builder.rows[:2])  # terrain and road alone: every surface is flat
    foggy = scenes.SHIFTS['fog'](replace(world, primitives=ground), Dice(5, 'test'), 1.0)
    clear = replace(foggy, air=replace(foggy.air, extinction_per_m=0.0))
    depth, owner, with_fog = look(foggy, foggy.camera)
    _, _, without = look(clear, clear.camera)

    v, u = np.mgrid[:36, :48]
    k = world.camera.intrinsics
    ray = np.sqrt(1 + ((u - k.cx) / k.fx) ** 2 + ((v - k.cy) / k.fy) ** 2)
    distance = np.where(owner >= 0, depth, 0).reshape(36, 48) * ray
    share = np.exp(-foggy.air.extinction_per_m * distance)[..., None]
    expected = share * without + (1 - share) * np.array(foggy.air.colour)
    inner = owner.reshape(36, 48) == 1
    inner[1:] &= inner[:-1].copy()
    inner[:-1] &= inner[1:].copy()
    inner[:, 1:] &= inner[:, :-1].copy()
    inner[:, :-1] &= inner[:, 1:].copy()
    assert inner.sum() > 300
    np.testing.assert_allclose(with_fog[inner], expected[inner], rtol=1e-4)


@pytest.mark.parametrize(('kind', 'visibility_m'), [('street', 80.0), ('indoor', 12.0)])
def test_fog_has_the_visibility_it_says(kind, visibility_m):
    world = build(kind, 1, 24, 32)
    foggy = scenes.SHIFTS['fog'](world, Dice(1, 'test'), 1.0)
    added = foggy.air.extinction_per_m - world.air.extinction_per_m
    assert 0.8 <= added * visibility_m / -math.log(0.02) <= 1.25


def test_night_is_dark_and_its_sky_darker_still():
    for seed in range(4):
        day = scenes.render('street', seed, 48, 64)
        night = scenes.render('street', seed, 48, 64, shift='night')
        sky = day.classes == scenes.LABELS.id('sky')
        assert night.image[sky].mean() < 0.35 * day.image[sky].mean()
        assert night.image.mean() < 0.6 * day.image.mean()  # headlights reach what is near


def test_sensor_noise_has_the_spread_it_says():
    radiance = np.full((200, 200, 3), 0.18, np.float32)
    rng = np.random.default_rng(0)
    clean = expose(radiance, Sensor(noise=0.1, vignette=0.0), None)
    noisy = expose(radiance, Sensor(noise=0.1, vignette=0.0), rng)
    level = clean[0, 0, 0] / 255
    expected = 0.1 * math.sqrt(0.25 + 0.75 * level)
    error = (noisy.astype(float) - clean) / 255
    assert error.std() == pytest.approx(expected, rel=0.02)  # 120 000 draws
    assert abs(error.mean()) < 0.002


def test_blur_keeps_the_light_and_spreads_a_point_by_its_deviation():
    point = np.zeros((41, 41, 1), np.float32)
    point[20, 20] = 1
    spread = blurred(point, 2.0)[..., 0]
    assert spread.sum() == pytest.approx(1, rel=1e-5)
    v, u = np.mgrid[:41, :41] - 20
    # The kernel ends at three deviations, which loses a few per cent of the variance.
    assert (spread * u**2).sum() == pytest.approx(4, rel=0.05)
    assert (spread * v**2).sum() == pytest.approx(4, rel=0.05)
    flat = np.full((9, 12, 3), 0.3, np.float32)
    np.testing.assert_allclose(blurred(flat, 1.5), flat, rtol=1e-5)
