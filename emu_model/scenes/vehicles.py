"""Vehicles, class vehicle, each built in its own frame: x is ahead, the ground at z = 0."""

import math
from collections.abc import Callable

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    car_paint,
    hsv,
    lamp,
    plain,
)
from emu_model.scenes.primitives import Builder

_HEADLIGHT = lamp((0.9, 0.9, 0.85), 0.8)
_TAILLIGHT = lamp((0.5, 0.01, 0.01), 0.6)
_TYRE = Material(Texture.PLAIN, (0.012, 0.012, 0.013), grain=0.2, grain_size_m=0.1)
_RIM = Material(Texture.PLAIN, (0.35, 0.35, 0.37), gloss=0.15, grain=0.1)


def _greenhouse(
    paint: Material, length: float, width: float, height: float, windows: int
) -> Material:
    pattern = (length, height, windows, width, 0.0, 0.0)
    return paint._replace(texture=Texture.GREENHOUSE, pattern=pattern)


def _wheels(
    builder: Builder, front: float, rear: float, width: float, diameter: float, thick: float
) -> None:
    for x in (front, rear):
        for side in (-1, 1):
            y = side * (0.5 * width - 0.5 * thick)
            size = (diameter, diameter, thick + 0.02)
            turn = (0.0, 0.0, 0.5 * math.pi)
            builder.cylinder((x, y, 0.5 * diameter), size, _TYRE, turn=turn)
            hub = (0.55 * diameter, 0.55 * diameter, thick + 0.05)
            builder.cylinder((x, y, 0.5 * diameter), hub, _RIM, turn=turn)


def _lights(builder: Builder, length: float, width: float, z: float, size: float) -> None:
    for side in (-1, 1):
        y = side * (0.5 * width - 0.6 * size - 0.06)
        builder.box((0.5 * length, y, z), (0.06, 1.2 * size, 0.6 * size), _HEADLIGHT)
        builder.box((-0.5 * length, y, z + 0.04), (0.06, size, 0.8 * size), _TAILLIGHT)


def car(builder: Builder, dice: Dice) -> None:
    """A hatchback, saloon, estate or off-roader."""
    paint = car_paint(dice)
    tall = dice.uniform(0.0, 1.0) ** 2
    length, width = dice.uniform(3.7, 4.9), dice.uniform(1.68, 1.92)
    wheel = 0.6 + 0.14 * tall
    floor, waist = 0.2 + 0.12 * tall, 0.82 + 0.2 * tall
    roof = waist + dice.uniform(0.5, 0.62)
    rear_share = dice.pick((0.02, 0.04, 0.2))
    hood = dice.uniform(0.24, 0.3) * length
    front, rear = 0.5 * length - hood, -0.5 * length + rear_share * length
    builder.box((0, 0, 0.5 * (floor + waist)), (length, width, waist - floor), paint)
    builder.box((0, 0, floor + 0.1), (length + 0.08, width - 0.1, 0.18), _TYRE)

    # The windscreen and the rear window lean towards the roof.
    height = roof - waist
    lean_front, lean_rear = 0.9 * height, (0.35 if rear_share < 0.1 else 0.8) * height
    cabin = front - lean_front - (rear + lean_rear)
    middle = 0.5 * (front - lean_front + rear + lean_rear)
    narrow = 0.9 * width
    glass = _greenhouse(paint, cabin, narrow, height, 2 + (cabin > 2.3))
    builder.box((middle, 0, waist + 0.5 * height), (cabin, narrow, height), glass)
    for x, lean in ((front, lean_front), (rear, -lean_rear)):
        slope = math.atan2(height, abs(lean))
        long = math.hypot(height, lean)
        thick = 0.5 * min(abs(lean), height)
        sign = 1 if lean > 0 else -1
        # A slab under the slope, sunk so that its outer face is the window.
        inward = 0.5 * thick
        cx = x - 0.5 * lean - sign * inward * math.sin(slope)
        cz = waist + 0.5 * height - inward * math.cos(slope)
        pane = Material(Texture.PLAIN, (0.015, 0.018, 0.02), gloss=0.4, grain=0.0)
        turn = (0.0, sign * slope, 0.0)
        builder.box((cx, 0, cz), (long, narrow * 0.97, thick), pane, turn=turn)
    _wheels(builder, 0.5 * length - 0.8, -0.5 * length + 0.75, width, wheel, 0.2)
    _lights(builder, length, width, waist - 0.2, 0.26)
    for side in (-1, 1):
        builder.box((front - 0.15, side * 0.53 * width, waist + 0.05), (0.14, 0.2, 0.13), paint)


def van(builder: Builder, dice: Dice) -> None:
    """A delivery van."""
    white = plain(hsv(0.6, 0.03, 0.9), dice, gloss=0.12, grain=0.03)
    paint = white if dice.chance(0.5) else car_paint(dice)
    length, width, height = dice.uniform(4.8, 6.2), dice.uniform(1.9, 2.1), dice.uniform(2, 2.6)
    cabin = 1.5
    builder.box((-0.5 * cabin, 0, 0.3 + 0.5 * height), (length - cabin, width, height), paint)
    x = 0.5 * length - 0.5 * cabin
    builder.box((x, 0, 0.72), (cabin, 0.98 * width, 0.85), paint)
    upper = 0.62 * height
    glass = _greenhouse(paint, 0.8 * cabin, 0.94 * width, upper - 0.5, 1)
    z = 1.1 + 0.5 * (upper - 0.5)
    builder.box((x - 0.1 * cabin, 0, z), (0.8 * cabin, 0.94 * width, upper - 0.5), glass)
    _wheels(builder, 0.5 * length - 0.8, -0.5 * length + 1.0, width, 0.68, 0.22)
    _lights(builder, length, width, 0.85, 0.26)


def bus(builder: Builder, dice: Dice) -> None:
    """A city bus."""
    paint = car_paint(dice)
    length, width, height = dice.uniform(9.0, 12.0), 2.5, dice.uniform(2.7, 3.0)
    builder.box((0, 0, 0.85), (length, width, 1.1), paint)
    glass = _greenhouse(paint, length, width, height - 1.1, 6)
    builder.box((0, 0, 0.3 + 0.5 * (height + 1.1)), (length, width, height - 1.1), glass)
    _wheels(builder, 0.5 * length - 2.4, -0.5 * length + 2.6, width, 0.95, 0.3)
    _lights(builder, length, width, 0.75, 0.3)


def truck(builder: Builder, dice: Dice) -> None:
    """A lorry with a box."""
    paint = car_paint(dice)
    length, width, height = dice.uniform(6.5, 9.0), 2.45, dice.uniform(2.2, 2.9)
    load = plain(hsv(dice.uniform(), dice.uniform(0, 0.6), dice.uniform(0.5, 0.95)), dice)
    cabin = 1.9
    builder.box(
        (-0.5 * cabin - 0.1, 0, 0.95 + 0.5 * height), (length - cabin, width, height), load
    )
    builder.box((0, 0, 0.72), (length - 0.3, 0.8, 0.35), _TYRE)
    x = 0.5 * length - 0.5 * cabin
    builder.box((x, 0, 1.0), (cabin, 0.97 * width, 1.1), paint)
    glass = _greenhouse(paint, cabin, 0.95 * width, 1.05, 1)
    builder.box((x, 0, 2.05), (cabin * 0.96, 0.95 * width, 1.05), glass)
    _wheels(builder, 0.5 * length - 1.1, -0.5 * length + 1.6, width, 0.95, 0.3)
    _lights(builder, length, width, 0.8, 0.3)


def vehicle(builder: Builder, dice: Dice, *, parked: bool = False) -> None:
    """Mostly cars; buses and lorries do not park at the kerb."""
    kinds: tuple[tuple[float, Callable[[Builder, Dice], None]], ...] = (
        (0.8, car),
        (0.9, van),
        (0.95, bus),
        (1.0, truck),
    )
    draw = dice.uniform(0.0, 0.9 if parked else 1.0)
    next(build for limit, build in kinds if draw < limit)(builder, dice)
