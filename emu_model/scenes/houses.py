"""Buildings, class building."""

import math

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    brick,
    cells,
    hsv,
    plain,
    plaster,
    random_seed,
    stripes,
)
from emu_model.scenes.primitives import Builder


def _facade(dice: Dice, wall: Material, width: float, storey: float, shop: bool) -> Material:
    bays = max(1, round(width / dice.uniform(1.8, 3.4)))
    pattern = (
        width / bays,
        storey,
        dice.uniform(0.35, 0.8),
        dice.uniform(0.45, 0.75),
        storey * 1.15 if shop else 0.0,
        dice.uniform(0.2, 0.6),
    )
    frame = hsv(dice.uniform(), dice.uniform(0.0, 0.3), dice.pick((0.2, 0.5, 0.85, 0.95)))
    return Material(
        Texture.FACADE,
        wall.colour,
        frame,
        pattern,
        random_seed(dice),
        grain=0.22,
        grain_size_m=dice.uniform(0.3, 2.0),
    )


def town_house(
    builder: Builder, dice: Dice, x: float, y: float, width: float, depth: float, side: int
) -> None:
    """A house of a closed row.

    Args:
        builder: Where the parts go.
        dice: Its look.
        x: Middle of its front in metres.
        y: Front of the house in metres.
        width: Along the street in metres.
        depth: Away from the street in metres.
        side: +1 to the left of the street, −1 to the right.
    """
    builder.start('building', x, y, 0.0)
    storey = dice.uniform(2.9, 3.7)
    storeys = dice.integer(2, 7)
    wall = brick(dice) if dice.chance(0.35) else plaster(dice)
    shop = dice.chance(0.6)
    height = storey * storeys + (1.15 * storey if shop else 0.0)
    middle = side * 0.5 * depth
    facade = _facade(dice, wall, width, storey, shop)
    builder.box((0, middle, 0.5 * height), (width, depth, height), facade)
    trim = plain(hsv(0.1, dice.uniform(0, 0.2), dice.uniform(0.4, 0.95)), dice, grain=0.15)
    builder.box((0, middle, height + 0.12), (width + 0.1, depth + 0.5, 0.35), trim)
    if dice.chance(0.5):
        z = 1.15 * storey if shop else storey
        builder.box((0, -side * 0.05, z), (width, 0.25, 0.22), trim)
    if shop and dice.chance(0.6):
        hue, reach = dice.uniform(), dice.uniform(0.8, 1.3)
        colours = hsv(hue, 0.7, 0.7), (0.75, 0.73, 0.68)
        awning = stripes(*colours, 0.6, 0.5, dice) if dice.chance(0.5) else plain(colours[0], dice)
        span = width * dice.uniform(0.5, 0.9)
        centre = (0, -side * 0.5 * reach, 1.0 * storey)
        builder.box(centre, (span, reach, 0.06), awning, turn=(0.0, 0.0, -side * 0.35))
    elif dice.chance(0.5):
        for k in range(1, storeys):
            z = height - k * storey + 0.15
            builder.box((0, -side * 0.45, z - 0.3), (0.35 * width, 0.9, 0.14), trim)
            rail = cells(trim.colour, (0.02, 0.02, 0.02), (0.14, 3.0), dice, joint_m=0.09)
            builder.box((0, -side * 0.88, z + 0.2), (0.35 * width, 0.05, 0.9), rail)


def detached_house(
    builder: Builder, dice: Dice, x: float, y: float, width: float, depth: float, side: int
) -> None:
    """A house with a gable roof; arguments as for `town_house`."""
    builder.start('building', x, y + side * 0.5 * depth, 0.0)
    storey = dice.uniform(2.6, 3.1)
    height = storey * dice.integer(1, 3)
    wall = brick(dice) if dice.chance(0.5) else plaster(dice)
    facade = _facade(dice, wall, width, storey, False)
    builder.box((0, 0, 0.5 * height), (width, depth, height), facade)
    roof = cells(
        hsv(dice.pick((0.02, 0.05, 0.6)), dice.uniform(0.1, 0.7), dice.uniform(0.3, 0.6)),
        (0.03, 0.02, 0.02),
        (0.3, 0.35),
        dice,
        shift=0.5,
        joint_m=0.03,
        variation=0.3,
    )
    pitch = dice.uniform(0.5, 0.78)
    along_street = dice.chance(0.6)
    span = depth if along_street else width
    long = (width if along_street else depth) + 0.7
    rise = 0.5 * span * math.tan(pitch)
    yaw = 0.0 if along_street else 0.5 * math.pi
    slope = 0.5 * span / math.cos(pitch)
    deep = 0.5 * span * math.sin(pitch)
    for face in (-1, 1):
        # Slabs that meet at the ridge and overhang at the eaves, and below each a block as thick
        # as the gable is high above the slab: the two fill the gable, and up to a pitch of 45
        # degrees stay within it.
        for length, along, inward, thick, look in (
            (long, slope + 0.5, -0.11, 0.22, roof),
            (long - 0.7, slope, 0.5 * deep, deep, wall),
        ):
            out = 0.5 * along * math.cos(pitch) - inward * math.sin(pitch)
            z = height + rise - 0.5 * along * math.sin(pitch) - inward * math.cos(pitch)
            centre = (0, face * out, z) if along_street else (-face * out, 0, z)
            size = (length, along, thick)
            builder.box(centre, size, look, turn=(yaw, 0.0, -face * pitch))
    if dice.chance(0.6):
        builder.box((0.25 * width, 0.1, height + rise), (0.7, 0.6, 1.6), brick(dice))


def garden_wall(
    builder: Builder, dice: Dice, x: float, y: float, length: float, height: float
) -> None:
    """A low wall along the street."""
    builder.start('building', x, y)
    builder.box((0, 0, 0.5 * height), (length, 0.25, height), brick(dice))
