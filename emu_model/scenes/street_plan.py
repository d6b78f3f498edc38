"""The lasting decisions about a street: its lanes, its sides, what its ground is made of."""

import math
from dataclasses import dataclass

from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import Material, Texture, cells, foliage, hsv, plain, random_seed

BLOCK_M = 24.0
"""Length of the stretches that a street is built of, one at a time."""

AHEAD_M = 96.0
BEHIND_M = 10.0
"""Blocks and vehicles this far from the camera are there."""

KERB_M = 0.12
PARKING_M = 2.3
SIDE_ROAD_M = 10.0

_FAMILY = 8191
STANDING, AHEAD, ONCOMING, PASSING, WALKERS = range(5)
"""Families of instance ids: one for what stands, one for each kind of mover."""


def instance_id(family: int, number: int) -> int:
    """An id that stays with its object: unlike those of all others within sight."""
    return 1 + family * _FAMILY + number % _FAMILY


@dataclass(frozen=True)
class SidePlan:
    """One side of a street; distances from the street's centre line in metres.

    Attributes:
        side: +1 for the left side, −1 for the right one.
        parking: Whether vehicles park before the kerb.
        kerb: Where the sidewalk begins.
        sidewalk: Width of the sidewalk.
        garden: Width of what is between the sidewalk and the houses.
    """

    side: int
    parking: bool
    kerb: float
    sidewalk: float
    garden: float

    @property
    def front(self) -> float:
        """Where the houses begin."""
        return self.kerb + self.sidewalk + self.garden


@dataclass(frozen=True)
class StreetPlan:
    """A street along x, its centre line at y = 0.

    Attributes:
        seed: The scene's seed.
        drive_side: −1 where one drives on the right, +1 where on the left.
        district: 'city', 'suburb' or 'park'.
        lanes: Lanes of each direction.
        lane: Width of a lane in metres.
        trees: How many of the places for trees are taken, 0…1.
        parked: How many of the parking places are taken, 0…1.
        bustle: How many persons are out, 0…1.
        sides: The right side and the left one.
        ground: Materials of road, side road, sidewalk, terrain and kerb.
    """

    seed: int
    drive_side: int
    district: str
    lanes: int
    lane: float
    trees: float
    parked: float
    bustle: float
    sides: tuple[SidePlan, SidePlan]
    ground: dict[str, Material]

    def is_crossing(self, index: int) -> bool:
        """Whether a side road crosses in this block."""
        return index % 5 == self.seed % 5 and self.district != 'park'

    def heading(self, side: int) -> int:
        """Direction along x in which one drives on a side."""
        return 1 if side == self.drive_side else -1

    def pavement(self, x: float) -> float:
        """Height of the sidewalk, which side roads interrupt, in metres."""
        index = math.floor(x / BLOCK_M)
        beside = abs(x - (index + 0.5) * BLOCK_M)
        return 0.0 if self.is_crossing(index) and beside < 0.5 * SIDE_ROAD_M else KERB_M


def plan_street(seed: int) -> StreetPlan:
    """Decides about a street."""
    dice = Dice(seed, 'street')
    drive_side = -1 if dice.chance(0.75) else 1
    district = dice.pick(('city', 'city', 'suburb', 'suburb', 'park'))
    lanes = dice.pick((1, 1, 1, 2))
    lane = dice.uniform(2.9, 3.6)
    trees = dice.uniform(0.1, 0.9)
    parked = dice.uniform(0.1, 0.95)
    bustle = 1 - dice.uniform() ** 2
    right, left = (_plan_side(dice, side, district, lanes * lane) for side in (-1, 1))
    return StreetPlan(
        seed=seed,
        drive_side=drive_side,
        district=district,
        lanes=lanes,
        lane=lane,
        trees=trees,
        parked=parked,
        bustle=bustle,
        sides=(right, left),
        ground=_ground_materials(dice, lane, lanes),
    )


def _plan_side(dice: Dice, side: int, district: str, lanes_end: float) -> SidePlan:
    parking = dice.chance(0.6)
    garden = {'city': 0.0, 'suburb': dice.uniform(2, 7), 'park': dice.uniform(6, 14)}
    kerb = lanes_end + 0.25 + (PARKING_M if parking else 0.0)
    return SidePlan(side, parking, kerb, dice.uniform(2.4, 4.2), garden[district])


def _ground_materials(dice: Dice, lane: float, lanes: int) -> dict[str, Material]:
    grey = dice.uniform(0.2, 0.42)
    asphalt = hsv(dice.uniform(0.05, 0.65), dice.uniform(0, 0.1), grey)
    yellow = dice.chance(0.25)
    paint = (0.75, 0.5, 0.08) if yellow else (0.75, 0.75, 0.72)
    pattern = (lane, lanes, dice.uniform(5, 10), dice.chance(0.4), dice.chance(0.6), 0.6)
    seed = random_seed(dice)
    road = Material(Texture.LANES, asphalt, paint, pattern, seed, grain=0.2, grain_size_m=0.09)
    slab = hsv(dice.uniform(0.02, 0.14), dice.uniform(0.0, 0.3), dice.uniform(0.45, 0.75))
    size = dice.pick(((0.4, 0.4), (0.6, 0.6), (0.2, 0.1), (1.2, 0.8)))
    joint = tuple(0.4 * c for c in slab)
    shift = dice.pick((0.0, 0.5))
    paving = cells(slab, joint, size, dice, shift=shift, joint_m=0.015, variation=0.25)
    grass = foliage(dice, dice.uniform(0.16, 0.3))
    soil = plain(hsv(0.09, 0.4, dice.uniform(0.35, 0.6)), dice, grain=0.4)
    terrain = grass._replace(grain_size_m=1.5) if dice.chance(0.8) else soil
    kerb = plain(hsv(0.1, 0.05, dice.uniform(0.5, 0.75)), dice, grain=0.2)
    return {
        'road': road,
        'side road': road._replace(texture=Texture.PLAIN, pattern=(0.0,) * 6),
        'sidewalk': paving,
        'terrain': terrain,
        'kerb': kerb,
    }
