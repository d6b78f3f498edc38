"""Trees, lamps and signs along a street, each built in its own frame."""

import math

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    foliage,
    hsv,
    lamp,
    metal,
    plain,
    random_seed,
)
from emu_model.scenes.primitives import Builder

_QUARTER = 0.5 * math.pi


def tree(builder: Builder, dice: Dice, x: float, y: float) -> None:
    """A broad-leaved tree or a conifer, class vegetation."""
    builder.start('vegetation', x, y, 0.0, dice.uniform(0, 6.28))
    bark = plain(hsv(0.08, dice.uniform(0.15, 0.5), dice.uniform(0.25, 0.5)), dice, grain=0.5)
    leaves = foliage(dice)
    if dice.chance(0.25):
        height, width = dice.uniform(5, 11), dice.uniform(2.2, 3.8)
        builder.cylinder((0, 0, 0.08 * height), (0.3, 0.3, 0.2 * height), bark)
        layers = 5
        for i in range(layers):
            z = (0.2 + 0.16 * i) * height
            spread = width * (1 - 0.17 * i)
            builder.ellipsoid((0, 0, z), (spread, spread, 0.3 * height), leaves)
        return
    stem = dice.uniform(2.1, 3.4)
    crown, spread = dice.uniform(2.5, 5.5), dice.uniform(2.4, 4.6)
    girth = dice.uniform(0.18, 0.45)
    builder.cylinder((0, 0, 0.5 * (stem + 0.4 * crown)), (girth, girth, stem + 0.4 * crown), bark)
    builder.ellipsoid((0, 0, stem + 0.5 * crown), (0.8 * spread, 0.8 * spread, crown), leaves)
    for i in range(6):
        angle = i * 1.047 + dice.uniform(-0.4, 0.4)
        reach = dice.uniform(0.2, 0.34) * spread
        z = stem + dice.uniform(0.22, 0.75) * crown
        size = dice.uniform(0.4, 0.65) * spread
        centre = (reach * math.cos(angle), reach * math.sin(angle), z)
        builder.ellipsoid(centre, (size, size, dice.uniform(0.6, 0.9) * size), leaves)


def bush(builder: Builder, dice: Dice, x: float, y: float) -> None:
    """A bush of a few lumps, class vegetation."""
    builder.start('vegetation', x, y, 0.0, dice.uniform(0, 6.28))
    leaves = foliage(dice)
    size = dice.uniform(0.7, 1.6)
    for _ in range(3):
        dx, dy = dice.uniform(-0.4, 0.4) * size, dice.uniform(-0.4, 0.4) * size
        height = dice.uniform(0.6, 1.1) * size
        builder.ellipsoid((dx, dy, 0.4 * height), (size, size, height), leaves)


def street_lamp(
    builder: Builder, dice: Dice, x: float, y: float, side: int, height: float
) -> tuple[float, float, float]:
    """A lamp whose arm reaches over the road; returns where its light is."""
    builder.start('pole', x, y, 0.0, 0.0)
    grey = metal(dice)
    arm = 1.4
    builder.cylinder((0, 0, 0.5 * height), (0.14, 0.14, height), grey)
    builder.cylinder((0, 0, 0.5), (0.24, 0.24, 1.0), grey)
    turn = (0.0, 0.0, _QUARTER)
    builder.cylinder((0, -0.5 * side * arm, height), (0.09, 0.09, arm), grey, turn=turn)
    builder.box((0, -side * arm, height - 0.02), (0.24, 0.6, 0.12), grey)
    builder.box((0, -side * arm, height - 0.1), (0.2, 0.5, 0.06), lamp((1.0, 0.85, 0.6), 3.0))
    return x, y - side * arm, height - 0.2


def traffic_sign(builder: Builder, dice: Dice, x: float, y: float, heading: int) -> None:
    """A post with a disc, plate or board for drivers who come from −x times heading."""
    builder.start('pole', x, y, 0.0, 0.0 if heading > 0 else math.pi)
    grey = plain(hsv(0.6, 0.05, 0.65), dice, gloss=0.05)
    top = dice.uniform(2.2, 3.0)
    builder.cylinder((0.06, 0, 0.5 * (top + 0.3)), (0.075, 0.075, top + 0.3), grey)
    builder.label('sign')
    symbol = dice.integer(0, 4)
    colour = ((0.55, 0.02, 0.03), (0.02, 0.1, 0.5), (0.85, 0.55, 0.02), (0.02, 0.2, 0.1))[symbol]
    width = dice.uniform(0.6, 0.85)
    height = width
    if symbol == 3:
        colour = dice.pick((colour, (0.02, 0.08, 0.4), (0.75, 0.5, 0.05)))
        width, height = dice.uniform(0.9, 1.5), dice.uniform(0.5, 0.9)
    pattern = (width, height, symbol, 0.0, 0.0, 0.0)
    face = Material(Texture.SIGN, colour, grain=0.03, pattern=pattern, seed=random_seed(dice))
    if symbol == 0:
        turn = (0.0, _QUARTER, 0.0)
        builder.cylinder((0, 0, top), (width, width, 0.03), face, turn=turn)
    elif symbol == 2:
        # Standing on its corner, the texture's diamond fills the plate.
        side = 0.71 * width
        plate = face._replace(pattern=(side, side, 1.0 * symbol, 0.0, 0.0, 0.0))
        builder.box((0, 0, top), (0.03, side, side), plate, turn=(0.0, 0.0, 0.5 * _QUARTER))
    else:
        builder.box((0, 0, top), (0.03, width, height), face)
    if dice.chance(0.3):
        second = face._replace(
            colour=hsv(dice.pick((0.0, 0.15, 0.6)), 0.8, 0.8), pattern=(0.5, 0.3, 3.0, 0, 0, 0)
        )
        builder.box((0, 0, top - 0.62), (0.03, 0.5, 0.3), second)


def traffic_light(builder: Builder, dice: Dice, x: float, y: float, heading: int) -> None:
    """Three lamps on a pole; class sign."""
    builder.start('pole', x, y, 0.0, 0.0 if heading > 0 else math.pi)
    builder.cylinder((0.12, 0, 1.6), (0.12, 0.12, 3.2), metal(dice))
    builder.label('sign')
    builder.box((0, 0, 2.9), (0.22, 0.34, 0.95), plain((0.02, 0.025, 0.02), dice))
    on = dice.integer(0, 3)
    for i, colour in enumerate(((0.9, 0.03, 0.02), (0.9, 0.5, 0.02), (0.05, 0.8, 0.3))):
        shine = lamp(colour, 4.0) if i == on else plain(tuple(0.1 * c for c in colour), dice)
        builder.ellipsoid((-0.1, 0, 3.2 - 0.3 * i), (0.1, 0.22, 0.22), shine)


def bollard(builder: Builder, dice: Dice, x: float, y: float) -> None:
    """A knee-high post, class pole."""
    builder.start('pole', x, y)
    stripe = Material(Texture.STRIPES, (0.5, 0.05, 0.04), (0.8, 0.8, 0.8), (0.4, 0.5, 1, 0, 0, 0))
    look = stripe if dice.chance(0.5) else metal(dice)
    builder.cylinder((0, 0, 0.55), (0.14, 0.14, 0.9), look)
