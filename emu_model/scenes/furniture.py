"""Pieces of furniture, each built in its own frame: its back at y = 0, its front towards +y."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    cells,
    fabric,
    foliage,
    hsv,
    lamp,
    metal,
    plain,
    random_seed,
    veneer,
    wood,
)
from emu_model.scenes.primitives import Builder


def _legs(
    builder: Builder,
    width: float,
    depth: float,
    height: float,
    y: float,
    look: Material,
    thick: float,
) -> None:
    for sx in (-1, 1):
        for sy in (-1, 1):
            x = sx * (0.5 * width - thick)
            centre = (x, y + sy * (0.5 * depth - thick), 0.5 * height)
            builder.box(centre, (thick, thick, height), look)


def _clutter(builder: Builder, dice: Dice, width: float, y: float, z: float, count: int) -> None:
    """Small things on top of something: boxes, cups, balls, books."""
    for k in range(count):
        x = width * ((k + 0.5) / count - 0.5) + dice.uniform(-0.05, 0.05)
        look = fabric(dice)
        size = dice.uniform(0.08, 0.22)
        kind = dice.integer(0, 3)
        dy = y + dice.uniform(-0.08, 0.08)
        if kind == 0:
            height = dice.uniform(0.04, 0.3)
            turn = (dice.uniform(0, 1.5), 0.0, 0.0)
            builder.box((x, dy, z + 0.5 * height), (size, 0.7 * size, height), look, turn=turn)
        elif kind == 1:
            builder.cylinder((x, dy, z + 0.5 * size), (0.6 * size, 0.6 * size, size), look)
        else:
            builder.ellipsoid((x, dy, z + 0.5 * size), (size, size, size), look)


def shelf(builder: Builder, dice: Dice) -> float:
    """A shelf with books and things."""
    width, depth, height = dice.uniform(0.8, 1.7), 0.34, dice.uniform(1.1, 2.1)
    frame = veneer(dice)
    builder.box((0, 0.02, 0.5 * height), (width, 0.03, height), frame)
    for side in (-1, 1):
        x = side * (0.5 * width - 0.015)
        builder.box((x, 0.5 * depth, 0.5 * height), (0.03, depth, height), frame)
    count = max(2, round(height / 0.4))
    step = (height - 0.03) / count
    for k in range(count + 1):
        builder.box((0, 0.5 * depth, k * step + 0.02), (width - 0.04, depth, 0.03), frame)
    for k in range(count):
        z = k * step + 0.035
        if dice.chance(0.7):
            tall = step * dice.uniform(0.55, 0.85)
            share = dice.uniform(0.4, 0.95) * (width - 0.1)
            books = cells(
                hsv(dice.uniform(), dice.uniform(0.2, 0.7), dice.uniform(0.5, 0.9)),
                (0.02, 0.02, 0.02),
                (dice.uniform(0.03, 0.06), 2.0),
                dice,
                joint_m=0.004,
                variation=0.9,
                hue_variation=1.5,
                grain=0.08,
            )
            x = -0.5 * (width - 0.1 - share)
            builder.box((x, 0.42 * depth, z + 0.5 * tall), (share, 0.6 * depth, tall), books)
        else:
            _clutter(builder, dice, 0.8 * width, 0.5 * depth, z, 2)
    return width


def cabinet(builder: Builder, dice: Dice) -> float:
    """A cupboard or sideboard with doors and handles."""
    width = dice.uniform(0.8, 1.6)
    tall = dice.chance(0.4)
    depth, height = (
        dice.uniform(0.4, 0.6),
        dice.uniform(1.7, 2.1) if tall else dice.uniform(0.6, 1),
    )
    look = veneer(dice) if dice.chance(0.6) else plain(hsv(dice.uniform(), 0.15, 0.9), dice)
    builder.box((0, 0.5 * depth, 0.5 * height), (width, depth, height), look)
    doors = max(2, round(width / 0.5))
    for k in range(doors):
        door = width / doors
        x = -0.5 * width + (k + 0.5) * door
        builder.box((x, depth, 0.5 * height), (door - 0.03, 0.03, height - 0.1), look)
        knob = (x + 0.35 * door * (1 if k % 2 == 0 else -1), depth + 0.03, 0.55 * height)
        builder.box(knob, (0.02, 0.03, 0.14), metal(dice))
    if not tall:
        _clutter(builder, dice, 0.9 * width, 0.5 * depth, height, 3)
    return width


def sofa(builder: Builder, dice: Dice) -> float:
    """A sofa or an armchair with cushions."""
    width = dice.pick((0.95, 1.6, 2.1))
    depth, cover = 0.72, fabric(dice)
    builder.box((0, 0.5 * depth, 0.24), (width, depth, 0.36), cover)
    builder.box((0, 0.12, 0.55), (width, 0.22, 0.6), cover, turn=(0.0, 0.0, 0.12))
    for side in (-1, 1):
        builder.box((side * (0.5 * width - 0.09), 0.5 * depth, 0.36), (0.18, depth, 0.52), cover)
    seats = max(1, round(width / 0.75))
    for k in range(seats):
        x = (width - 0.4) * ((k + 0.5) / seats - 0.5)
        size = ((width - 0.4) / seats - 0.02, 0.5, 0.16)
        builder.box((x, 0.45, 0.48), size, cover)
    if dice.chance(0.7):
        x = dice.uniform(-0.25, 0.25) * width
        builder.ellipsoid((x, 0.34, 0.68), (0.42, 0.2, 0.36), fabric(dice), turn=(0, 0, 0.3))
    return width


def desk(builder: Builder, dice: Dice) -> float:
    """A desk with a screen, a keyboard and things."""
    width, depth, height = dice.uniform(1.1, 1.6), 0.68, 0.74
    top = veneer(dice)
    builder.box((0, 0.5 * depth, height), (width, depth, 0.04), top)
    _legs(builder, width, depth, height, 0.5 * depth, metal(dice), 0.05)
    dark = plain((0.015, 0.015, 0.018), dice, gloss=0.1)
    builder.box((0, 0.22, height + 0.13), (0.06, 0.05, 0.24), dark)
    builder.box((0, 0.22, height + 0.03), (0.24, 0.18, 0.02), dark)
    builder.box((0, 0.25, height + 0.4), (0.62, 0.04, 0.38), dark)
    pattern = (0.57, 0.33, 0.0, 0.0, 0.0, 0.0)
    colour = hsv(dice.uniform(), 0.4, 0.6)
    screen = Material(Texture.PICTURE, colour, (0.3,) * 3, pattern, random_seed(dice), grain=0.0)
    builder.box((0, 0.272, height + 0.4), (0.57, 0.01, 0.33), screen._replace(emission=0.8))
    builder.box((0, 0.48, height + 0.03), (0.44, 0.14, 0.02), dark)
    _clutter(builder, dice, 0.35 * width, 0.4, height + 0.02, 1)
    return width


def bed(builder: Builder, dice: Dice) -> float:
    """A bed, its long side at the wall."""
    width, depth = 2.0, 0.74
    builder.box((0, 0.5 * depth, 0.18), (width, depth, 0.28), veneer(dice))
    sheet = plain(hsv(dice.uniform(), 0.1, 0.9), dice)
    builder.box((0, 0.5 * depth, 0.4), (width - 0.06, depth - 0.04, 0.18), sheet)
    builder.box((0.25, 0.5 * depth, 0.45), (width - 0.55, depth, 0.14), fabric(dice))
    builder.box((-0.5 * width, 0.5 * depth, 0.45), (0.05, depth, 0.9), veneer(dice))
    builder.ellipsoid((-0.72, 0.5 * depth, 0.55), (0.36, 0.6, 0.18), sheet)
    return width


def floor_lamp(builder: Builder, dice: Dice) -> float:
    """A standing lamp."""
    height = dice.uniform(1.4, 1.8)
    stand = metal(dice)
    builder.cylinder((0, 0.25, 0.02), (0.3, 0.3, 0.04), stand)
    builder.cylinder((0, 0.25, 0.5 * height), (0.03, 0.03, height), stand)
    shade = hsv(dice.uniform(0.05, 0.16), dice.uniform(0.1, 0.5), 0.95)
    look = lamp(shade, dice.pick((0.1, 0.9)))
    builder.cylinder((0, 0.25, height), (0.36, 0.36, 0.3), look)
    return 0.5


def plant(builder: Builder, dice: Dice) -> float:
    """A plant in a pot; its leaves are vegetation."""
    pot = plain(hsv(dice.uniform(), dice.uniform(0, 0.6), dice.uniform(0.3, 0.9)), dice)
    size = dice.uniform(0.28, 0.4)
    builder.cylinder((0, 0.3, 0.5 * size), (size, size, size), pot)
    builder.label('vegetation')
    leaves = foliage(dice)._replace(grain_size_m=0.15)
    height = dice.uniform(0.4, 1.1)
    for k in range(7):
        angle = 0.9 * k + dice.uniform(0, 0.5)
        lean = dice.uniform(0.25, 0.75)
        out = 0.22 * lean
        centre = (out * math.cos(angle), 0.3 + 0.8 * out * math.sin(angle), size + 0.45 * height)
        leaf = (0.06, 0.13, height)
        builder.ellipsoid(centre, leaf, leaves, turn=(angle, lean * 0.7, 0.0))
    return 0.6


def boxes(builder: Builder, dice: Dice) -> float:
    """A pile of cardboard boxes and crates."""
    z = 0.0
    for _ in range(dice.integer(1, 4)):
        size = dice.uniform(0.3, 0.55), dice.uniform(0.28, 0.45), dice.uniform(0.2, 0.4)
        card = plain(hsv(0.09, dice.uniform(0.3, 0.5), dice.uniform(0.55, 0.75)), dice)
        look = card if dice.chance(0.7) else fabric(dice)
        turn = (dice.uniform(-0.25, 0.25), 0.0, 0.0)
        builder.box((dice.uniform(-0.05, 0.05), 0.34, z + 0.5 * size[2]), size, look, turn=turn)
        z += size[2]
    return 0.7


def chair(builder: Builder, dice: Dice) -> float:
    """A chair, its back at y = 0."""
    look = veneer(dice) if dice.chance(0.5) else metal(dice)
    seat = fabric(dice) if dice.chance(0.5) else look
    builder.box((0, 0.24, 0.45), (0.44, 0.44, 0.05), seat)
    _legs(builder, 0.44, 0.44, 0.45, 0.24, look, 0.035)
    for side in (-1, 1):
        builder.box((side * 0.195, 0.03, 0.68), (0.035, 0.035, 0.45), look)
    builder.box((0, 0.03, 0.78), (0.36, 0.03, 0.24), seat)
    return 0.5


def screen(builder: Builder, dice: Dice) -> float:
    """A television on a low board."""
    width, height = dice.uniform(0.9, 1.4), dice.uniform(0.35, 0.5)
    builder.box((0, 0.22, 0.5 * height), (width + 0.2, 0.42, height), veneer(dice))
    dark = plain((0.012, 0.012, 0.014), dice, gloss=0.12)
    tall = 0.58 * width
    builder.box((0, 0.2, height + 0.05), (0.3, 0.2, 0.1), dark)
    builder.box((0, 0.2, height + 0.1 + 0.5 * tall), (width, 0.05, tall), dark)
    return width + 0.2


@dataclass(frozen=True)
class Piece:
    """A kind of furniture that stands at a wall.

    Attributes:
        build: Makes one at the origin and returns its width in metres.
        widest_m: No one is wider.
        low: There is space for a picture above it.
    """

    build: Callable[[Builder, Dice], float]
    widest_m: float
    low: bool = False


CHAIR = Piece(chair, 0.5, low=True)

PIECES = (
    Piece(shelf, 1.75),
    Piece(shelf, 1.75),
    Piece(cabinet, 1.65),
    Piece(cabinet, 1.65),
    Piece(sofa, 2.15, low=True),
    Piece(desk, 1.65),
    Piece(bed, 2.1, low=True),
    Piece(floor_lamp, 0.5),
    Piece(plant, 0.65),
    Piece(boxes, 0.75, low=True),
    CHAIR,
    Piece(screen, 1.65),
)
"""All equally likely; what is there twice is twice as likely."""

DEEPEST_M = 0.75
"""No piece is deeper than this."""


def table(builder: Builder, dice: Dice, radius: float) -> None:
    """A table for the middle of a room, within this radius."""
    height = dice.uniform(0.7, 0.77)
    top = (
        dice.pick((veneer, veneer, wood))(dice)
        if dice.chance(0.75)
        else plain(hsv(dice.uniform(), 0.1, 0.9), dice)
    )
    width, depth = dice.uniform(1.1, 1.5) * radius, dice.uniform(0.8, 1.1) * radius
    if dice.chance(0.3):
        builder.cylinder((0, 0, height), (width, width, 0.045), top)
        builder.cylinder((0, 0, 0.5 * height), (0.12, 0.12, height), metal(dice))
        builder.cylinder((0, 0, 0.02), (0.5 * width, 0.5 * width, 0.04), metal(dice))
    else:
        builder.box((0, 0, height), (width, depth, 0.045), top)
        _legs(builder, width, depth, height, 0.0, top, 0.06)
    _clutter(builder, dice, 0.7 * width, 0.0, height + 0.02, dice.integer(1, 5))


def door(builder: Builder, dice: Dice) -> None:
    """A closed door with its frame, class opening; flat on the wall at y = 0."""
    width, height = dice.uniform(0.8, 1.0), dice.uniform(1.98, 2.1)
    leaf = veneer(dice) if dice.chance(0.5) else plain(hsv(dice.uniform(), 0.2, 0.9), dice)
    frame = plain(hsv(0.1, 0.05, dice.uniform(0.3, 0.95)), dice)
    builder.box((0, 0.01, 0.5 * height), (width, 0.04, height), leaf)
    for side in (-1, 1):
        x = side * (0.5 * width + 0.04)
        builder.box((x, 0.02, 0.5 * height), (0.08, 0.08, height), frame)
    builder.box((0, 0.02, height + 0.04), (width + 0.16, 0.08, 0.08), frame)
    for z in (0.3, 0.72):
        builder.box((0, 0.03, z * height), (0.66 * width, 0.03, 0.34 * height), leaf)
    builder.box((0.4 * width, 0.06, 1.03), (0.12, 0.04, 0.02), metal(dice))


def window(builder: Builder, dice: Dice, width: float, bottom: float, height: float) -> None:
    """A window on the wall at y = 0, class opening, with a sill."""
    frame = hsv(0.1, 0.05, dice.pick((0.3, 0.9, 0.95)))
    pattern = (width, height, dice.integer(1, 4), dice.integer(1, 3), 0.0, 0.0)
    panes = Material(Texture.GLAZING, frame, pattern=pattern, seed=random_seed(dice), grain=0.02)
    builder.box((0, 0.0, bottom + 0.5 * height), (width, 0.05, height), panes)
    sill = plain(frame, dice)
    builder.box((0, 0.06, bottom - 0.02), (width + 0.16, 0.2, 0.04), sill)


def curtains(builder: Builder, dice: Dice, width: float, bottom: float, height: float) -> None:
    """Curtains of a window on the wall at y = 0, in folds."""
    cloth = fabric(dice)
    span = 0.22 * width
    for side in (-1, 1):
        middle = side * (0.5 * width - 0.3 * span)
        for k in range(4):
            centre = (middle + span * (k - 1.5) / 3, 0.1, bottom + 0.47 * height)
            builder.cylinder(centre, (span / 2.6, 0.1, 1.2 * height), cloth)


def picture(builder: Builder, dice: Dice, z: float) -> None:
    """A framed picture on the wall at y = 0."""
    width, height = dice.uniform(0.35, 1.1), dice.uniform(0.35, 0.8)
    pattern = (width, height, 0.04, 0.0, 0.0, 0.0)
    colour = hsv(dice.uniform(), dice.uniform(0, 0.5), dice.uniform(0.4, 0.8))
    frame = hsv(0.1, dice.uniform(0, 0.6), dice.uniform(0.1, 0.8))
    look = Material(Texture.PICTURE, colour, frame, pattern, random_seed(dice), grain=0.05)
    builder.box((0, 0.0, z), (width, 0.06, height), look)
