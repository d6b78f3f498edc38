"""What surfaces are made of: colours and the parameters of their textures."""

import colorsys
from enum import IntEnum
from typing import NamedTuple

from emu_model.scenes.dice import Dice

Colour = tuple[float, float, float]
"""Red, green, blue as linear reflectance, 0…1."""


class Texture(IntEnum):
    """The patterns that textures.py can draw."""

    PLAIN = 0
    CELLS = 1
    FACADE = 2
    LANES = 3
    STRIPES = 4
    FOLIAGE = 5
    SIGN = 6
    PICTURE = 7
    GLAZING = 8
    GREENHOUSE = 9
    CHECKER = 10


class Material(NamedTuple):
    """The look of a primitive.

    Attributes:
        texture: Which pattern.
        colour: Main colour.
        accent: Second colour: mortar, window frames, marks.
        pattern: Six parameters, their meaning is the texture's (textures.py).
        seed: Tells apart surfaces of the same pattern, 0…2^24.
        gloss: Share of the mirrored sky, 0…1.
        grain: Amplitude of the fine noise, relative to the colour.
        grain_size_m: Cell of the coarsest noise octave in metres.
        emission: Radiance that the surface gives off, times its colour.
    """

    texture: int
    colour: Colour
    accent: Colour = (0.5, 0.5, 0.5)
    pattern: tuple[float, float, float, float, float, float] = (0.0,) * 6
    seed: int = 0
    gloss: float = 0.0
    grain: float = 0.1
    grain_size_m: float = 0.3
    emission: float = 0.0

    def row(self) -> tuple[float, ...]:
        """The numbers as primitives store them."""
        return (
            self.texture,
            *self.colour,
            *self.accent,
            *self.pattern,
            self.seed,
            self.gloss,
            self.grain,
            self.grain_size_m,
            self.emission,
        )


ROW_LENGTH = len(Material(0, (0.0, 0.0, 0.0)).row())


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A display colour as linear reflectance, with a gamma of 2."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return red * red, green * green, blue * blue


def random_seed(dice: Dice) -> int:
    """A texture seed."""
    return dice.integer(0, 1 << 24)


def plain(colour: Colour, dice: Dice, **options: float) -> Material:
    """One colour with fine noise."""
    return Material(Texture.PLAIN, colour, seed=random_seed(dice), **options)


def cells(
    colour: Colour,
    accent: Colour,
    size_m: tuple[float, float],
    dice: Dice,
    *,
    shift: float = 0.0,
    joint_m: float = 0.01,
    variation: float = 0.2,
    hue_variation: float = 0.0,
    **options: float,
) -> Material:
    """Bricks, tiles, planks, paving, books: cells of varying colour with joints between them.

    Args:
        colour: Mean colour of a cell.
        accent: Colour of the joints.
        size_m: Width and height of a cell in metres.
        dice: Where the texture's seed comes from.
        shift: Offset of every second row, as a share of the width.
        joint_m: Width of a joint in metres.
        variation: Range of a cell's brightness, relative.
        hue_variation: Range of each colour channel on its own, relative.
        options: Further fields of Material.
    """
    pattern = (*size_m, shift, joint_m, variation, hue_variation)
    return Material(Texture.CELLS, colour, accent, pattern, random_seed(dice), **options)


def stripes(
    colour: Colour, accent: Colour, period_m: float, share: float, dice: Dice, **options: float
) -> Material:
    """Stripes across the first surface direction; `share` of each period is the accent."""
    pattern = (period_m, share, 0.0, 0.0, 0.0, 0.0)
    return Material(Texture.STRIPES, colour, accent, pattern, random_seed(dice), **options)


def foliage(dice: Dice, hue: float | None = None) -> Material:
    """Leaves: strong noise between two greens."""
    hue = dice.uniform(0.2, 0.36) if hue is None else hue
    if dice.chance(0.06):
        hue = dice.uniform(0.04, 0.13)  # autumn
    value = dice.uniform(0.28, 0.52)
    saturation = dice.uniform(0.35, 0.72)
    return Material(
        Texture.FOLIAGE,
        hsv(hue, saturation, value),
        hsv(hue - 0.035, saturation * 0.9, value * 1.45),
        seed=random_seed(dice),
        grain=0.5,
        grain_size_m=dice.uniform(0.35, 0.9),
    )


def brick(dice: Dice) -> Material:
    """A brick wall."""
    colour = hsv(dice.uniform(0.0, 0.09), dice.uniform(0.25, 0.55), dice.uniform(0.4, 0.72))
    return cells(
        colour,
        hsv(0.1, 0.08, dice.uniform(0.5, 0.75)),
        (0.24, 0.09),
        dice,
        shift=0.5,
        joint_m=0.012,
        variation=0.35,
        grain=0.15,
    )


def plaster(dice: Dice) -> Material:
    """A painted wall: mostly whites, creams and greys."""
    if dice.chance(0.7):
        colour = hsv(dice.uniform(0.05, 0.16), dice.uniform(0.0, 0.38), dice.uniform(0.6, 0.96))
    else:
        colour = hsv(dice.uniform(), dice.uniform(0.05, 0.32), dice.uniform(0.6, 0.92))
    return plain(colour, dice, grain=0.12, grain_size_m=1.3)


def car_paint(dice: Dice) -> Material:
    """Glossy; half of all cars are grey, as on real roads."""
    if dice.chance(0.5):
        colour = hsv(0.6, 0.05, dice.pick((0.12, 0.3, 0.5, 0.75, 0.93)))
    else:
        hue = dice.pick((0.0, 0.01, 0.6, 0.62, 0.57, 0.08, 0.13, 0.38, 0.95, dice.uniform()))
        colour = hsv(hue, dice.uniform(0.55, 0.92), dice.uniform(0.3, 0.8))
    return plain(colour, dice, gloss=0.22, grain=0.02)


def veneer(dice: Dice) -> Material:
    """Wood of furniture: one surface with hardly a joint."""
    colour = hsv(dice.uniform(0.04, 0.11), dice.uniform(0.25, 0.65), dice.uniform(0.3, 0.85))
    return plain(colour, dice, grain=0.22, grain_size_m=0.07, gloss=0.04)


def wood(dice: Dice, board_m: float = 0.12, **options: float) -> Material:
    """Boards."""
    colour = hsv(dice.uniform(0.05, 0.11), dice.uniform(0.35, 0.65), dice.uniform(0.35, 0.8))
    dark = tuple(0.45 * channel for channel in colour)
    return cells(
        colour,
        dark,
        (1.2, board_m),
        dice,
        shift=0.37,
        joint_m=0.004,
        variation=0.25,
        **{'grain': 0.25, 'grain_size_m': 0.12, 'gloss': 0.04, **options},
    )


def fabric(dice: Dice) -> Material:
    """Clothes and covers of any colour, plain or striped."""
    colour = hsv(dice.uniform(), 0.85 * dice.uniform() ** 1.5, dice.uniform(0.15, 0.95))
    if dice.chance(0.15):
        accent = hsv(dice.uniform(), dice.uniform(0.0, 0.7), dice.uniform(0.2, 0.95))
        return stripes(colour, accent, dice.uniform(0.05, 0.2), 0.5, dice, grain_size_m=0.05)
    return plain(colour, dice, grain=0.2, grain_size_m=0.08)


def skin(dice: Dice) -> Material:
    """Skin tones."""
    tone = hsv(dice.uniform(0.03, 0.08), dice.uniform(0.3, 0.6), dice.uniform(0.35, 0.95))
    return plain(tone, dice, grain=0.05)


def metal(dice: Dice) -> Material:
    """Painted or galvanised metal."""
    colour = hsv(dice.uniform(), dice.uniform(0.0, 0.25), dice.uniform(0.2, 0.75))
    return plain(colour, dice, gloss=0.08, grain=0.1, grain_size_m=0.2)


def glass(dice: Dice) -> Material:
    """Dark and mirroring."""
    return plain((0.015, 0.02, 0.025), dice, gloss=0.45, grain=0.0)


def lamp(colour: Colour, emission: float) -> Material:
    """A surface that shines."""
    return Material(Texture.PLAIN, colour, grain=0.0, emission=emission)
