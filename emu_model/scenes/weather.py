"""Sun and clouds, haze, and the exposure that a camera would choose for them."""

import math
from typing import NamedTuple

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import random_seed
from emu_model.scenes.world import Air, Light, Sensor, Sky, unit


class Weather(NamedTuple):
    """What a street scene is seen by, in and with."""

    sky: Sky
    light: Light
    air: Air
    sensor: Sensor


def weather(seed: int) -> Weather:
    """The weather of a scene."""
    dice = Dice(seed, 'weather')
    overcast = dice.chance(0.3)
    azimuth, elevation = dice.uniform(0, 6.28), dice.uniform(0.4, 1.2)
    source = unit(
        (
            math.cos(azimuth) * math.cos(elevation),
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )
    warm = max(0.0, 1 - (elevation - 0.3) / 0.5)
    if overcast:
        bright = dice.uniform(0.75, 1.1)
        # The brightest part of a covered sky is overhead: faint shadows under things.
        source = unit((0.25 * math.cos(azimuth), 0.25 * math.sin(azimuth), 1.0))
        sun = (0.5, 0.5, 0.49)
        sky = Sky(
            (0.62 * bright, 0.67 * bright, 0.75 * bright),
            (0.85 * bright, 0.87 * bright, 0.9 * bright),
            dice.uniform(0.5, 0.9),
            (0.8 * bright, 0.81 * bright, 0.83 * bright),
            random_seed(dice),
        )
        above, below = (0.72, 0.75, 0.81), (0.3, 0.3, 0.3)
    else:
        strength = dice.uniform(1.8, 2.7)
        sun = (strength, strength * (0.94 - 0.2 * warm), strength * (0.84 - 0.4 * warm))
        blue = dice.uniform(0.75, 1.2)
        sky = Sky(
            (0.13 * blue, 0.3 * blue, 0.75 * blue),
            (0.72 + 0.3 * warm, 0.8, 0.95 - 0.25 * warm),
            dice.uniform(0.1, 0.65),
            (1.35, 1.3, 1.27 - 0.15 * warm),
            random_seed(dice),
        )
        above, below = (0.36, 0.43, 0.58), (0.24, 0.22, 0.19)
    air = Air(0.0006 + 0.004 * dice.uniform() ** 2, sky.horizon)
    tint = dice.uniform(-0.08, 0.08)
    exposure = dice.uniform(0.62, 1.0)
    sensor = Sensor(
        (exposure * (1 + tint), exposure, exposure * (1 - tint)),
        dice.uniform(0.006, 0.02),
        dice.uniform(0.05, 0.3),
    )
    light = Light((*source, 0.0), sun, above, below, daylight=1.0, lamplight=0.12)
    return Weather(sky, light, air, sensor)
