"""Pictures of seeded scenes: single, in stereo, and along a drive."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np

from emu_model.scenes.dice import Dice, generator
from emu_model.scenes.drawing import draw
from emu_model.scenes.frame import Frame
from emu_model.scenes.indoor import Room
from emu_model.scenes.shifts import SHIFTS
from emu_model.scenes.street import Street
from emu_model.scenes.world import World

KINDS = {'street': Street, 'indoor': Room}
"""Kinds of scenes by name."""

_EYES = ('left', 'right')


@lru_cache(maxsize=4)
def _scene(kind: str, seed: int) -> Street | Room:
    return KINDS[kind](seed)


def build(
    kind: str,
    seed: int,
    height: int,
    width: int,
    *,
    time_s: float = 0.0,
    shift: str | None = None,
    shift_strength: float = 1.0,
    focal_length_px: float | None = None,
) -> World:
    """The world that `render` draws; arguments and errors as there."""
    _check(kind, seed, height, width, shift, shift_strength, focal_length_px)
    world = _scene(kind, seed).world(time_s, height, width, focal_length_px)
    if shift is not None and shift_strength > 0:
        world = SHIFTS[shift](world, Dice(seed, f'shift {shift}'), shift_strength)
    return world


def render(
    kind: str,
    seed: int,
    height: int,
    width: int,
    *,
    time_s: float = 0.0,
    eye: Literal['left', 'right'] = 'left',
    shift: str | None = None,
    shift_strength: float = 1.0,
    focal_length_px: float | None = None,
) -> Frame:
    """A picture of a scene with its ground truth.

    The same arguments give the same frame, bit by bit. The same seed at another size or focal
    length is the same scene through another camera.

    Args:
        kind: 'street' or 'indoor'.
        seed: Which of the endless scenes, not negative.
        height: Rows in pixels.
        width: Columns in pixels.
        time_s: Moment of the drive through the scene, in seconds.
        eye: Which camera of the stereo pair.
        shift: Name of one of `SHIFTS`, or None.
        shift_strength: 1 for the shift's usual strength, 0 for none.
        focal_length_px: Focal length in pixels; by default the scene's own, 0.7…1.1 widths.

    Raises:
        ValueError: If an argument is out of its range; the message says which.
    """
    if eye not in _EYES:
        raise ValueError(f"eye is '{eye}', expected 'left' or 'right': choose one of them")
    world = build(
        kind,
        seed,
        height,
        width,
        time_s=time_s,
        shift=shift,
        shift_strength=shift_strength,
        focal_length_px=focal_length_px,
    )
    moment = int(np.float64(time_s).view(np.int64))
    noise = generator(seed, 'sensor noise', moment, moment >> 32, _EYES.index(eye))
    camera = world.camera if eye == 'left' else world.camera.moved_right(world.baseline_m)
    return draw(world, camera, noise)


def stereo_pair(
    kind: str, seed: int, height: int, width: int, **options: object
) -> tuple[Frame, Frame]:
    """Left and right picture of a rectified pair; the noise of each eye is its own.

    A point at column u of the left picture lies at column u − fx·baseline/depth of the right
    one, in the same row.

    Args:
        kind: 'street' or 'indoor'.
        seed: Which scene.
        height: Rows in pixels.
        width: Columns in pixels.
        options: As for `render`: time_s, shift, shift_strength, focal_length_px.

    Raises:
        ValueError: If an argument is out of its range.
    """
    left = render(kind, seed, height, width, eye='left', **options)
    return left, render(kind, seed, height, width, eye='right', **options)


def drive(
    kind: str, seed: int, frames: int, rate_hz: float, height: int, width: int, **options: object
) -> Iterator[Frame]:
    """The pictures of a camera that moves through one scene, from time 0 on.

    Frame i is `render` at i/rate_hz seconds. The camera never leaves the scene or touches
    anything, however long the drive.

    Args:
        kind: 'street' or 'indoor'.
        seed: Which scene.
        frames: How many pictures.
        rate_hz: Pictures per second.
        height: Rows in pixels.
        width: Columns in pixels.
        options: As for `render`: eye, shift, shift_strength, focal_length_px.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if not rate_hz > 0:
        raise ValueError(f'rate_hz is {rate_hz}, expected a positive number of frames per second')
    for i in range(frames):
        yield render(kind, seed, height, width, time_s=i / rate_hz, **options)


def _check(
    kind: str,
    seed: int,
    height: int,
    width: int,
    shift: str | None,
    strength: float,
    focal_length_px: float | None,
) -> None:
    if kind not in KINDS:
        raise ValueError(f"scene kind is '{kind}', expected one of {', '.join(KINDS)}")
    if shift is not None and shift not in SHIFTS:
        raise ValueError(f"shift is '{shift}', expected None or one of {', '.join(SHIFTS)}")
    if seed < 0:
        raise ValueError(f'seed is {seed}, expected 0 or more: use a non-negative integer')
    if height < 2 or width < 2:
        raise ValueError(f'size is {height}x{width} (HxW), expected at least 2x2 pixels')
    if strength < 0:
        raise ValueError(f'shift_strength is {strength}, expected 0 or more: 0 is no shift')
    if focal_length_px is not None and not focal_length_px > 0:
        raise ValueError(f'focal_length_px is {focal_length_px}, expected a positive number')
