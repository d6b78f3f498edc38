"""What callers rely on: frames, ground truth, stereo, drives."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from scene_oracle import contained

from emu_model import scenes
from emu_model.scenes.drawing import draw, look
from emu_model.scenes.generate import build
from emu_model.scenes.visibility import Sight, sample

KINDS = ('street', 'indoor')
THING_IDS = [scenes.LABELS.id(name) for name in scenes.THINGS]
SKY = scenes.LABELS.id('sky')


@pytest.mark.parametrize('kind', KINDS)
def test_a_frame_has_the_shapes_and_types_it_promises(kind):
    frame = scenes.render(kind, 1, 48, 64)
    assert (frame.image.shape, frame.image.dtype) == ((48, 64, 3), np.uint8)
    assert (frame.depth.shape, frame.depth.dtype) == ((48, 64), np.float32)
    assert (frame.classes.shape, frame.classes.dtype) == ((48, 64), np.uint8)
    assert (frame.instances.shape, frame.instances.dtype) == ((48, 64), np.uint16)
    assert (frame.intrinsics.cx, frame.intrinsics.cy) == (31.5, 23.5)
    assert 0.7 * 64 <= frame.intrinsics.fx <= 1.1 * 64


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('seed', range(6))
def test_classes_depth_and_instances_are_consistent(kind, seed):
    frame = scenes.render(kind, seed, 72, 96)
    assert (frame.classes < len(scenes.LABELS)).all()
    np.testing.assert_array_equal(np.isinf(frame.depth), frame.classes == SKY)
    np.testing.assert_array_equal(frame.instances > 0, np.isin(frame.classes, THING_IDS))
    for instance in np.unique(frame.instances[frame.instances > 0]):
        assert len(np.unique(frame.classes[frame.instances == instance])) == 1


def test_seeds_show_different_scenes_with_every_class():
    frames = [scenes.render(kind, seed, 36, 48) for kind in KINDS for seed in range(30)]
    assert set(np.unique([f.classes for f in frames])) == set(range(len(scenes.LABELS)))
    depths = [np.where(np.isinf(f.depth), 999, f.depth) for f in frames]
    for one, other in itertools.combinations(depths[:12], 2):
        assert np.median(np.abs(one - other)) > 0.05


@pytest.mark.parametrize('kind', KINDS)
def test_the_same_arguments_give_the_same_frame_in_another_process(kind):
    options = f"'{kind}', 7, 36, 48, time_s=1.5, shift='unknown_objects'"
    script = (
        'from emu_model import scenes; import hashlib; '
        f'f = scenes.render({options}); '
        'print(hashlib.sha256(b"".join(a.tobytes() for a in '
        '(f.image, f.depth, f.classes, f.instances))).hexdigest())'
    )
    digests = {
        subprocess.run([sys.executable, '-c', script], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize('kind', KINDS)
def test_a_frame_does_not_depend_on_what_was_rendered_before(kind):
    first = scenes.render(kind, 5, 36, 48, time_s=3.0)
    for time_s in (0.0, 50.0, 10.0):
        scenes.render(kind, 5, 24, 32, time_s=time_s, shift='night')
    for seed in range(6, 12):
        scenes.render(kind, seed, 24, 32)
    again = scenes.render(kind, 5, 36, 48, time_s=3.0)
    np.testing.assert_array_equal(again.image, first.image)
    np.testing.assert_array_equal(again.depth, first.depth)


@pytest.mark.parametrize('kind', KINDS)
def test_another_size_is_the_same_scene(kind):
    small, large = (scenes.render(kind, 2, h, 4 * h // 3, time_s=2.0) for h in (36, 108))
    assert large.intrinsics == small.intrinsics.resized((36, 48), (108, 144))
    # At thrice the size, every third pixel from the second on has the same centre.
    np.testing.assert_allclose(large.depth[1::3, 1::3], small.depth, rtol=1e-5)
    np.testing.assert_array_equal(large.classes[1::3, 1::3], small.classes)
    np.testing.assert_array_equal(large.instances[1::3, 1::3], small.instances)
    mean = large.image.reshape(36, 3, 48, 3, 3).astype(float).mean(axis=(1, 3))
    assert np.median(np.abs(mean - small.image)) < 5


def test_another_focal_length_is_the_same_scene_through_another_lens():
    wide = scenes.render('street', 4, 96, 128, focal_length_px=80.0)
    tele = scenes.render('street', 4, 96, 128, focal_length_px=240.0)
    assert (wide.intrinsics.fx, tele.intrinsics.fy) == (80.0, 240.0)
    # The middle third of the wide picture is the whole of the other; in the rows it falls on
    # pixel centres, in the columns as well from the second one on.
    np.testing.assert_array_equal(tele.classes[1::3, 2::3], wide.classes[32:64, 43:85])
    np.testing.assert_allclose(tele.depth[1::3, 2::3], wide.depth[32:64, 43:85], rtol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('seed', [0, 3])
def test_left_pixel_minus_disparity_is_the_same_surface_point(kind, seed):
    world = build(kind, seed, 48, 64, time_s=1.0)
    left, right = world.camera, world.camera.moved_right(world.baseline_m)
    frame = draw(world, left, None)
    k = frame.intrinsics
    v, u = np.nonzero(np.isfinite(frame.depth))
    depth = frame.depth[v, u].astype(float)
    shifted = u - k.fx * frame.baseline_m / depth
    inside = shifted > -0.5
    v, u, depth, shifted = (a[inside] for a in (v, u, depth, shifted))

    # One ray of the right eye per left pixel, through the place where the disparity puts it.
    pixel = v * 64 + np.clip(np.rint(shifted), 0, 63).astype(int)
    beside = shifted - pixel % 64
    seen = np.full(len(u), np.inf)
    owner = np.full(len(u), -1)
    order = np.argsort(pixel, kind='stable')
    rank = np.arange(len(u)) - np.searchsorted(pixel[order], pixel[order])
    for turn in range(rank.max() + 1):
        chosen = order[rank == turn]
        rays = sample(right, np.zeros((1, 2)), pixel[chosen])
        rays.x[:] += beside[chosen] / k.fx
        seen[chosen], owner[chosen] = Sight(right, world.primitives).trace(rays)
    same = np.abs(seen / depth - 1) < 1e-5
    # What is not the same point is hidden from the right eye by something closer. A handful of
    # rays graze an edge, where the rounding of depth to float32 decides.
    assert (same | (seen < depth)).mean() > 0.998
    assert same.mean() > 0.85
    np.testing.assert_array_equal(world.primitives.classes[owner[same]], frame.classes[v, u][same])


@pytest.mark.parametrize('kind', KINDS)
def test_both_eyes_see_the_same_colours_but_for_the_noise(kind):
    world = build(kind, 2, 96, 128)
    left = draw(world, world.camera, None)
    right = draw(world, world.camera.moved_right(world.baseline_m), None)
    v, u = np.nonzero(np.isfinite(left.depth))
    shifted = u - left.intrinsics.fx * left.baseline_m / left.depth[v, u]
    low = np.floor(shifted).astype(int)
    valid = (low >= 0) & (low < 127)
    v, u, shifted, low = (a[valid] for a in (v, u, shifted, low))
    share = (shifted - low)[:, None]
    there = (1 - share) * right.image[v, low] + share * right.image[v, low + 1]
    visible = np.abs(right.depth[v, np.rint(shifted).astype(int)] / left.depth[v, u] - 1) < 0.03
    difference = np.abs(there - left.image[v, u])[visible]
    assert np.median(difference) <= 2
    assert np.percentile(difference, 90) < 20  # interpolation at edges and highlights


def test_a_stereo_pair_is_the_two_eyes_of_render_with_noise_of_their_own():
    left, right = scenes.stereo_pair('street', 3, 24, 32, time_s=0.5)
    np.testing.assert_array_equal(
        right.image, scenes.render('street', 3, 24, 32, time_s=0.5, eye='right').image
    )
    world = build('street', 3, 24, 32, time_s=0.5)
    noises = [
        frame.image.astype(int) - draw(world, eye, None).image
        for frame, eye in (
            (left, world.camera),
            (right, world.camera.moved_right(world.baseline_m)),
        )
    ]
    assert abs(np.corrcoef(noises[0].ravel(), noises[1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize('kind', KINDS)
def test_a_drive_is_render_at_successive_times(kind):
    frames = list(scenes.drive(kind, 6, 3, 10.0, 24, 32, eye='right'))
    for i, frame in enumerate(frames):
        single = scenes.render(kind, 6, 24, 32, time_s=i / 10.0, eye='right')
        np.testing.assert_array_equal(frame.image, single.image)
        np.testing.assert_array_equal(frame.depth, single.depth)


@pytest.mark.parametrize(('kind', 'fastest_m_s'), [('street', 13.0), ('indoor', 0.9)])
def test_the_camera_moves_smoothly_for_more_than_a_minute(kind, fastest_m_s):
    step = 0.1
    for seed in range(3):
        poses = []
        scene = scenes.KINDS[kind](seed)
        for i in range(700):
            camera = scene.camera(i * step, 24, 32, None)
            poses.append((*camera.position, 5 * camera.yaw, 5 * camera.pitch))
        speed = np.diff(poses, axis=0) / step
        assert np.abs(speed[:, :3]).max() < fastest_m_s
        assert np.abs(speed[:, 3:]).max() < 5 * 0.35  # rad/s
        assert np.abs(np.diff(speed, axis=0)).max() / step < 3  # m/s² and 5 rad/s²
        assert np.linalg.norm(speed[:, :3], axis=1).max() > 0.1


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('shift', [None, 'unknown_objects'])
def test_no_eye_is_ever_inside_or_right_before_an_object(kind, shift):
    around = 0.08 * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    for seed, time_s in itertools.product(range(20), np.linspace(0, 70, 6)):
        world = build(kind, seed, 24, 32, time_s=float(time_s), shift=shift)
        right = world.camera.moved_right(world.baseline_m)
        eyes = np.concatenate([np.array(c.position) + around for c in (world.camera, right)])
        assert not contained(world.primitives, eyes).any(), (seed, time_s)


@pytest.mark.parametrize('kind', KINDS)
def test_the_surroundings_never_end(kind):
    for time_s in (0.0, 60.0, 600.0):
        frame = scenes.render(kind, 9, 48, 64, time_s=time_s)
        near = frame.depth[-8:]
        assert np.isfinite(near).all()
        assert len(np.unique(frame.classes)) >= 3


def test_nothing_near_the_camera_appears_or_vanishes():
    def movers(seed, time_s):
        world = build('street', seed, 24, 32, time_s=time_s)
        parts = world.primitives
        distance = parts.centre[:, 0] - world.camera.position[0]
        near = (parts.instances > 0) & (distance > 2) & (distance < 45)
        everywhere = set(parts.instances.tolist())
        return set(parts.instances[near].tolist()), everywhere

    for seed in range(5):
        near, everywhere = movers(seed, 0.0)
        for i in range(1, 30):
            near_now, everywhere_now = movers(seed, i / 3)
            assert near <= everywhere_now
            assert near_now <= everywhere
            near, everywhere = near_now, everywhere_now


def test_things_keep_their_instance_while_they_move():
    classes = {}
    for frame in scenes.drive('street', 11, 20, 5.0, 48, 64):
        for instance in np.unique(frame.instances[frame.instances > 0]):
            label = int(frame.classes[frame.instances == instance][0])
            assert classes.setdefault(instance, label) == label
    lifetimes = [set(np.unique(f.instances)) for f in scenes.drive('street', 11, 3, 10.0, 96, 128)]
    common = set.intersection(*lifetimes) - {0}
    assert len(common) > 0.5 * len(set.union(*lifetimes) - {0})


@pytest.mark.parametrize('kind', KINDS)
def test_edges_are_averages_over_the_pixel(kind):
    world = build(kind, 3, 24, 32)
    _, owner, coarse = look(world, world.camera)
    fine_world = build(kind, 3, 24 * 9, 32 * 9)
    _, _, fine = look(fine_world, fine_world.camera)
    truth = fine.reshape(24, 9, 32, 9, 3).mean(axis=(1, 3))
    owner = owner.reshape(24, 32)
    edge = np.zeros((24, 32), bool)
    edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    point_sampled = fine[4::9, 4::9]
    # Four samples of a pixel halve the error of one: their variance is a quarter.
    error, error_of_one = (np.abs(p - truth)[edge].mean() for p in (coarse, point_sampled))
    assert error < 0.55 * error_of_one


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        (('forest', 0, 24, 32), {}, "scene kind is 'forest'"),
        (('street', -1, 24, 32), {}, 'seed is -1'),
        (('street', 0, 1, 32), {}, 'size is 1x32'),
        (('street', 0, 24, 32), {'eye': 'middle'}, "eye is 'middle'"),
        (('street', 0, 24, 32), {'shift': 'rain'}, "shift is 'rain'"),
        (('street', 0, 24, 32), {'shift_strength': -0.5}, 'shift_strength is -0.5'),
        (('street', 0, 24, 32), {'focal_length_px': 0.0}, 'focal_length_px is 0.0'),
    ],
)
def test_wrong_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        scenes.render(*arguments, **options)


def test_a_drive_needs_a_positive_rate():
    with pytest.raises(ValueError, match='rate_hz is 0'):
        next(scenes.drive('street', 0, 1, 0, 24, 32))
