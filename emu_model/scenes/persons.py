"""Persons, class person."""

import math

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    fabric,
    hsv,
    plain,
    skin,
)
from emu_model.scenes.primitives import Builder

_SHOE = Material(Texture.PLAIN, (0.012, 0.012, 0.013), grain=0.2, grain_size_m=0.1)


def person(builder: Builder, dice: Dice, phase: float | None = None) -> None:
    """A standing or walking person who looks along x.

    Args:
        builder: Where the parts go.
        dice: Size and clothes.
        phase: Of the gait, in radians; None to stand.
    """
    size = dice.uniform(0.9, 1.08) * (0.68 if dice.chance(0.12) else 1.0)
    top, bottom, bare = fabric(dice), fabric(dice), skin(dice)
    skirt = dice.chance(0.15)
    stout = dice.uniform(0.9, 1.25)
    swing = 0.0 if phase is None else 0.42 * math.sin(phase)
    hip, shoulder = 0.86 * size, 1.42 * size
    for side in (-1, 1):
        y, angle = side * 0.1 * size, side * swing
        leg = (0.15 * stout * size, 0.16 * stout * size, hip)
        centre = (-0.5 * hip * math.sin(angle), y, hip - 0.5 * hip * math.cos(angle))
        builder.cylinder(centre, leg, bottom, turn=(0.0, angle, 0.0))
        foot = (-hip * math.sin(angle) + 0.06 * size, y, 0.05 * size)
        builder.ellipsoid(foot, (0.28 * size, 0.11 * size, 0.11 * size), _SHOE)
        arm = 0.62 * size
        lift = -angle * 0.9
        spread = side * 0.08
        y = side * (0.22 * stout + 0.02) * size
        centre = (-0.5 * arm * math.sin(lift), y, shoulder - 0.5 * arm * math.cos(lift))
        sleeve = (0.12 * size, 0.13 * size, 1.04 * arm)
        builder.ellipsoid(centre, sleeve, top, turn=(0.0, lift, spread))
        hand = (-arm * math.sin(lift), y + 0.03 * side, shoulder - arm * math.cos(lift))
        builder.ellipsoid(hand, (0.1 * size, 0.08 * size, 0.14 * size), bare)
    trunk = shoulder - hip + 0.1 * size
    middle = hip + 0.5 * trunk - 0.06 * size
    builder.ellipsoid((0, 0, middle), (0.3 * stout * size, 0.48 * stout * size, 1.2 * trunk), top)
    if skirt:
        builder.cylinder((0, 0, hip - 0.18 * size), (0.36 * size, 0.42 * size, 0.5 * size), bottom)
    builder.cylinder((0, 0, 1.48 * size), (0.11 * size, 0.11 * size, 0.14 * size), bare)
    builder.ellipsoid((0.01, 0, 1.62 * size), (0.2 * size, 0.16 * size, 0.25 * size), bare)
    hair = plain(hsv(dice.uniform(0.03, 0.12), 0.5, dice.uniform(0.08, 0.6)), dice, grain=0.3)
    builder.ellipsoid(
        (-0.025 * size, 0, 1.66 * size), (0.2 * size, 0.18 * size, 0.22 * size), hair
    )
    if dice.chance(0.25):
        bag = (0.16 * size, 0.3 * size, 0.42 * size)
        builder.box((-0.2 * stout * size, 0, 1.2 * size), bag, fabric(dice))
