"""The ray caster against closed forms, marching and plain loops."""

import math

import numpy as np
import pytest
from scene_oracle import contained

from emu_model.geometry import Intrinsics
from emu_model.scenes.camera import NEAR_M, Camera
from emu_model.scenes.dice import generator
from emu_model.scenes.generate import build
from emu_model.scenes.intersect import HITS
from emu_model.scenes.materials import Material, Texture
from emu_model.scenes.primitives import Builder, Primitives, Shape
from emu_model.scenes.shadows import Shadows
from emu_model.scenes.surfaces import meet
from emu_model.scenes.visibility import Sight, sample

GREY = Material(Texture.PLAIN, (0.5, 0.5, 0.5))
CENTRE = np.zeros((1, 2))
CAMERAS = [
    Intrinsics(60.0, 60.0, 31.5, 23.5),
    Intrinsics(44.0, 70.0, 20.25, 30.75),
    Intrinsics(200.0, 180.0, 40.0, 10.0),
]


def depth_map(camera, primitives):
    depth, owner = Sight(camera, primitives).trace(sample(camera, CENTRE))
    return depth.reshape(camera.height, camera.width), owner.reshape(camera.height, camera.width)


def pixel_grid(camera):
    v, u = np.mgrid[: camera.height, : camera.width]
    k = camera.intrinsics
    return (u - k.cx) / k.fx, (v - k.cy) / k.fy


@pytest.mark.parametrize('intrinsics', CAMERAS)
@pytest.mark.parametrize('pitch', [0.0, -0.2, 0.1])
def test_depth_of_the_ground_is_the_closed_form(intrinsics, pitch):
    height_m = 1.6
    builder = Builder()
    builder.box((0, 0, -0.5), (1e5, 1e5, 1.0), GREY)
    camera = Camera(intrinsics, 48, 64, (3.0, -2.0, height_m), yaw=0.7, pitch=pitch)
    depth, _ = depth_map(camera, builder.primitives())
    _, y = pixel_grid(camera)
    # The ray sinks by y·cos(pitch) − sin(pitch) per metre of depth.
    sinking = y * math.cos(pitch) - math.sin(pitch)
    seen = sinking > 1e-3
    assert seen.any()
    np.testing.assert_allclose(depth[seen], height_m / sinking[seen], rtol=1e-9)
    assert np.isinf(depth[sinking <= 0]).all()


@pytest.mark.parametrize('intrinsics', CAMERAS)
@pytest.mark.parametrize('yaw', [0.0, 0.4, -0.6])
def test_depth_of_a_wall_is_the_closed_form(intrinsics, yaw):
    builder = Builder()
    builder.box((7.5, 0, 0), (1.0, 1e4, 1e4), GREY)
    camera = Camera(intrinsics, 48, 64, (2.0, 1.0, 1.0), yaw=yaw)
    depth, _ = depth_map(camera, builder.primitives())
    x, _ = pixel_grid(camera)
    advance = math.cos(yaw) + x * math.sin(yaw)
    np.testing.assert_allclose(depth, 5.0 / advance, rtol=1e-9)


def test_depth_of_a_ball_is_the_closed_form():
    builder = Builder()
    builder.ellipsoid((4.0, 0.3, 1.2), (1.6, 1.6, 1.6), GREY)
    camera = Camera(CAMERAS[0], 48, 64, (0.0, 0.0, 1.0))
    depth, owner = depth_map(camera, builder.primitives())
    x, y = pixel_grid(camera)
    ray = np.stack([np.ones_like(x), -x, -y])
    centre = np.array([4.0, 0.3, 0.2])
    along = np.tensordot(centre, ray, 1)
    square = (ray**2).sum(axis=0)
    root = along**2 - square * (centre @ centre - 0.8**2)
    np.testing.assert_array_equal(owner == 0, root >= 0)
    expected = (along - np.sqrt(np.maximum(root, 0))) / square
    np.testing.assert_allclose(depth[owner == 0], expected[owner == 0], rtol=1e-9)


def random_primitives(seed, count):
    rng = generator(seed, 'test')
    builder = Builder()
    for k in range(count):
        add = (builder.box, builder.ellipsoid, builder.cylinder)[k % 3]
        turn = tuple(rng.uniform(-3, 3, 3))
        add(
            tuple(rng.uniform((3, -3, -2), (9, 3, 3))),
            tuple(rng.uniform(0.3, 2, 3)),
            GREY,
            turn=turn,
        )
    return builder.primitives()


@pytest.mark.parametrize('shape', list(Shape))
def test_hits_agree_with_marching_along_the_ray(shape):
    primitives = random_primitives(5, 60)
    primitives = primitives.select(np.flatnonzero(primitives.shape == shape))
    rng = generator(1, 'test rays')
    step = 4e-3
    marks = np.arange(0, 14, step)
    hits = 0
    for _ in range(30):
        direction = np.array([1.0, *rng.uniform(-0.5, 0.5, 2)])
        inside = contained(primitives, marks[:, None] * direction)
        turned = np.einsum('nij,j->in', primitives.to_unit, direction)
        origin = -np.einsum('nij,nj->in', primitives.to_unit, primitives.centre)
        enter, leave = HITS[shape](tuple(origin), tuple(turned))
        for k in range(len(primitives)):
            if leave[k] - enter[k] > 2 * step:
                hits += 1
                ends = marks[np.flatnonzero(inside[k])[[0, -1]]]
                np.testing.assert_allclose([enter[k], leave[k]], ends, atol=1.01 * step)
            elif enter[k] > leave[k]:
                assert not inside[k].any()
    assert hits >= 10


def nearest_by_loop(camera, primitives, samples):
    depth = np.full(len(samples), np.inf)
    directions = camera.directions(samples.x, samples.y)
    for k in range(len(primitives)):
        to_unit = primitives.to_unit[k]
        origin = to_unit @ (np.array(camera.position) - primitives.centre[k])
        hit = HITS[Shape(primitives.shape[k])]
        enter, leave = hit(tuple(np.full(len(samples), o) for o in origin), to_unit @ directions)
        seen = (enter <= leave) & (enter > NEAR_M)
        depth[seen] = np.minimum(depth[seen], enter[seen])
    return depth


@pytest.mark.parametrize(('kind', 'seed'), [('street', 1), ('street', 8), ('indoor', 1)])
def test_the_rectangles_of_primitives_miss_no_hit(kind, seed):
    world = build(kind, seed, 36, 48)
    for offsets in (CENTRE, np.array([[-0.45, 0.45], [0.45, -0.45]])):
        samples = sample(world.camera, offsets)
        depth, _ = Sight(world.camera, world.primitives).trace(samples)
        expected = nearest_by_loop(world.camera, world.primitives, samples)
        np.testing.assert_allclose(depth, expected, rtol=1e-9)


def test_what_reaches_behind_the_camera_is_seen_before_it():
    builder = Builder()
    builder.box((0, 2.0, 0), (50.0, 1.0, 2.0), GREY, turn=(0.1, 0.05, 0.2))
    camera = Camera(CAMERAS[1], 48, 64, (0.0, 0.0, 0.0), yaw=0.3, roll=0.2)
    primitives = builder.primitives()
    samples = sample(camera, CENTRE)
    depth, _ = Sight(camera, primitives).trace(samples)
    assert np.isfinite(depth).any()
    np.testing.assert_allclose(depth, nearest_by_loop(camera, primitives, samples), rtol=1e-9)


def test_samples_of_some_pixels_see_what_samples_of_all_pixels_see():
    world = build('indoor', 3, 30, 40)
    pixels = np.array([0, 3, 41, 500, 777, 1199])
    offsets = np.array([[-0.2, 0.1], [0.3, 0.4]])
    some = Sight(world.camera, world.primitives).trace(sample(world.camera, offsets, pixels))
    every = Sight(world.camera, world.primitives).trace(sample(world.camera, offsets))
    for few, all_ in zip(some, every):
        np.testing.assert_array_equal(few.reshape(-1, 2), all_.reshape(-1, 2)[pixels])


@pytest.mark.parametrize(('kind', 'seed'), [('street', 0), ('street', 12), ('indoor', 2)])
def test_shadows_agree_with_a_ray_to_the_light_per_point(kind, seed):
    world = build(kind, seed, 24, 32)
    camera, primitives, light = world.camera, world.primitives, world.light.source
    samples = sample(camera, CENTRE)
    depth, owner = Sight(camera, primitives).trace(samples)
    found = np.flatnonzero(owner >= 0)
    points = camera.points(samples.x[found], samples.y[found], depth[found])
    owner = owner[found]
    casters = np.flatnonzero(primitives.half.max(axis=1) < 30)
    dark = Shadows(primitives, casters, light, camera.position).on(points, owner)

    expected = np.zeros(len(owner), bool)
    source = np.array(light[:3])
    for k in casters:
        to_unit = primitives.to_unit[k]
        towards = (
            source[:, None] - points if light[3] else np.repeat(source[:, None], len(owner), 1)
        )
        origin = to_unit @ (points - primitives.centre[k][:, None])
        hit = HITS[Shape(primitives.shape[k])]
        enter, leave = hit(tuple(origin), tuple(to_unit @ towards))
        blocked = (enter <= leave) & (leave > 0) & (owner != k)
        expected |= blocked & (enter < 1) if light[3] else blocked
    assert 0 < expected.mean() < 1
    # Points on the very edge of a shadow may fall either way by rounding.
    assert (dark != expected).mean() < 2e-3


def test_normals_are_perpendicular_to_the_surface_and_face_the_camera():
    primitives = random_primitives(3, 24)
    camera = Camera(CAMERAS[0], 48, 64, (0.0, 0.0, 0.5))
    samples = sample(camera, CENTRE)
    depth, owner = Sight(camera, primitives).trace(samples)
    found = np.flatnonzero(owner >= 0)
    x, y = samples.x[found], samples.y[found]
    surfaces = meet(camera, primitives, x, y, depth[found], owner[found])
    np.testing.assert_allclose((surfaces.normal**2).sum(axis=0), 1, atol=1e-5)
    assert ((surfaces.normal * surfaces.view).sum(axis=0) < 1e-4).all()
    # A step of 1 mm along the normal leaves the primitive, one against it enters it.
    outside = surfaces.point + 1e-3 * surfaces.normal
    inside = surfaces.point - 1e-3 * surfaces.normal
    row = np.arange(len(found))
    assert not contained(primitives, outside.T)[owner[found], row].any()
    assert contained(primitives, inside.T)[owner[found], row].mean() > 0.98  # but at thin edges


def test_pixel_extents_are_the_differences_between_neighbouring_pixels():
    builder = Builder()
    builder.box((0, 0, -0.5), (100.0, 100.0, 1.0), GREY, in_world=True)
    camera = Camera(
        Intrinsics(80.0, 80.0, 31.5, 23.5), 48, 64, (0.0, 0.0, 1.5), yaw=0.3, pitch=-0.4
    )
    primitives = builder.primitives()
    eps = 1e-3
    offsets = np.array([[0.0, 0.0], [eps, 0.0], [0.0, eps]])
    samples = sample(camera, offsets, np.arange(20 * 64, 48 * 64))
    depth, owner = Sight(camera, primitives).trace(samples)
    surfaces = meet(camera, primitives, samples.x, samples.y, depth, owner)
    here, right, below = (surfaces.point[:, k::3] for k in range(3))
    expected = (np.abs(right - here) + np.abs(below - here)) / eps
    np.testing.assert_allclose(surfaces.width_a[::3], expected[0], rtol=0.02)
    np.testing.assert_allclose(surfaces.width_b[::3], expected[1], rtol=0.02)


def test_too_many_primitives_are_refused():
    many = Primitives(np.repeat(random_primitives(0, 1).rows, 1 << 16, axis=0))
    camera = Camera(CAMERAS[0], 2, 2, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match='65536 primitives'):
        Sight(camera, many).trace(sample(camera, CENTRE))
