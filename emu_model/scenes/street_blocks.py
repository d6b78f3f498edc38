"""What stands along a street, block by block: houses, gardens, trees, signs, parked vehicles."""

import math
from dataclasses import dataclass

from emu_model.scenes.dice import Dice
from emu_model.scenes.houses import detached_house, garden_wall, town_house
from emu_model.scenes.materials import foliage, stripes
from emu_model.scenes.persons import person
from emu_model.scenes.primitives import Builder, Primitives, Vector
from emu_model.scenes.roadside import (
    bollard,
    bush,
    street_lamp,
    traffic_light,
    traffic_sign,
    tree,
)
from emu_model.scenes.street_plan import (
    BLOCK_M,
    KERB_M,
    PARKING_M,
    SIDE_ROAD_M,
    STANDING,
    SidePlan,
    StreetPlan,
    instance_id,
)
from emu_model.scenes.vehicles import vehicle

_ZONE_M = 0.9  # Strip at the kerb for trees, poles and signs.
_ZEBRA_M = 8.5  # From the middle of a crossing.


@dataclass(frozen=True)
class Block:
    """BLOCK_M of a street.

    Attributes:
        primitives: Everything that stands there.
        lamps: Where its street lamps shine from.
    """

    primitives: Primitives
    lamps: tuple[Vector, ...]


def build_block(plan: StreetPlan, index: int) -> Block:
    """The block from index·BLOCK_M on, from a random stream of its own."""
    dice = Dice(plan.seed, 'block', index)
    builder = Builder()
    lamps: list[Vector] = []
    if plan.is_crossing(index):
        _crossing(builder, dice, plan, index)
    else:
        for side in plan.sides:
            lamps += _block_side(builder, dice, plan, side, index)
    return Block(builder.primitives(), tuple(lamps))


def _crossing(builder: Builder, dice: Dice, plan: StreetPlan, index: int) -> None:
    start, middle = index * BLOCK_M, (index + 0.5) * BLOCK_M
    look = plan.ground
    # Surfaces a few millimetres above each other decide which one is seen.
    builder.start('road', middle)
    builder.box((0, 0, -0.505), (SIDE_ROAD_M, 160.0, 1.0), look['side road'], in_world=True)
    zebra = stripes(look['side road'].colour, look['road'].accent, 1.0, 0.5, dice)
    zebra = zebra._replace(pattern=(1.0, 0.5, 1.0, 0.0, 0.0, 0.0))
    low, high = -plan.sides[0].kerb, plan.sides[1].kerb
    for x in (-_ZEBRA_M, _ZEBRA_M):
        builder.box((x, 0.5 * (low + high), -0.496), (3.0, high - low - 0.6, 1.0), zebra)
    for side in plan.sides:
        length = 0.5 * (BLOCK_M - SIDE_ROAD_M)
        for x in (0.5 * length, BLOCK_M - 0.5 * length):
            _sidewalk(builder, plan, side, start + x, length)
        heading = plan.heading(side.side)
        x, y = middle - heading * 6.0, side.side * (side.kerb + 0.5 * _ZONE_M)
        with_light = plan.district == 'city' or dice.chance(0.3)
        (traffic_light if with_light else traffic_sign)(builder, dice, x, y, heading)
        for end in (start + 1.5, start + BLOCK_M - 1.5):
            if side.garden > 2 and dice.chance(0.7):
                tree(builder, dice, end, side.side * (side.front + 2.5))


def _sidewalk(
    builder: Builder, plan: StreetPlan, side: SidePlan, middle: float, length: float
) -> None:
    builder.start('sidewalk', middle, side.side * (side.kerb + 0.5 * side.sidewalk))
    size = (length, side.sidewalk, KERB_M + 0.4)
    builder.box((0, 0, 0.5 * KERB_M - 0.2), size, plan.ground['sidewalk'], in_world=True)


def _block_side(
    builder: Builder, dice: Dice, plan: StreetPlan, side: SidePlan, index: int
) -> list[Vector]:
    start = index * BLOCK_M
    _sidewalk(builder, plan, side, start + 0.5 * BLOCK_M, BLOCK_M)
    y = -side.side * (0.5 * side.sidewalk + 0.07)
    size = (BLOCK_M, 0.14, KERB_M + 0.4)
    builder.box((0, y, 0.5 * KERB_M - 0.2), size, plan.ground['kerb'])
    if plan.district == 'city':
        _town_houses(builder, dice, side, start)
    else:
        if plan.district == 'suburb':
            _detached_house(builder, dice, side, start)
        _greenery(builder, dice, plan, side, start)
        if plan.district == 'park':
            _belt_of_trees(builder, dice, side, start)
    lamps = _street_furniture(builder, dice, plan, side, index)
    if side.parking:
        _parked_vehicles(builder, dice, plan, side, index)
    _bystanders(builder, dice, plan, side, index)
    return lamps


def _town_houses(builder: Builder, dice: Dice, side: SidePlan, start: float) -> None:
    front = side.side * side.front
    share = dice.uniform(0.35, 0.65)
    for x, width in (
        (start + 0.5 * share * BLOCK_M, share * BLOCK_M),
        (start + 0.5 * (1 + share) * BLOCK_M, (1 - share) * BLOCK_M),
    ):
        if dice.chance(0.93):
            town_house(builder, dice, x, front, width, dice.uniform(8, 14), side.side)
        else:
            tree(builder, dice, x, front + side.side * 2.8)
            garden_wall(builder, dice, x, front + 0.2 * side.side, width, 1.4)


def _detached_house(builder: Builder, dice: Dice, side: SidePlan, start: float) -> None:
    """A house, and perhaps a hedge or a wall before its garden."""
    if dice.chance(0.85):
        width, depth = dice.uniform(9, 14), dice.uniform(7, 10)
        x = start + dice.uniform(0.35, 0.65) * BLOCK_M
        front = side.side * (side.front + 1.0)
        detached_house(builder, dice, x, front, width, depth, side.side)
    edge = side.side * (side.kerb + side.sidewalk + 0.35)
    style = dice.uniform()
    if style < 0.35:
        height = dice.uniform(0.8, 1.8)
        for x in (start + 5.0, start + BLOCK_M - 5.0):
            builder.start('vegetation', x, edge + 0.25 * side.side)
            hedge = foliage(dice)._replace(grain_size_m=0.3)
            builder.box((0, 0, 0.5 * height), (0.4 * BLOCK_M, 0.8, height), hedge)
    elif style < 0.6:
        height = dice.uniform(0.5, 1.2)
        garden_wall(builder, dice, start + 0.5 * BLOCK_M, edge, 0.8 * BLOCK_M, height)


def _greenery(
    builder: Builder, dice: Dice, plan: StreetPlan, side: SidePlan, start: float
) -> None:
    """Trees and bushes behind the sidewalk."""
    edge = side.kerb + side.sidewalk
    park = plan.district == 'park'
    for _ in range(4 if park else 2):
        x = start + dice.uniform(1, BLOCK_M - 1)
        if dice.chance(plan.trees):
            far = dice.uniform(3.0, 16.0) if park else side.garden * 0.5
            tree(builder, dice, x, side.side * (edge + max(far, 1.6)))
        elif side.garden > 2:
            bush(builder, dice, x, side.side * (edge + dice.uniform(1.3, side.garden)))


def _belt_of_trees(builder: Builder, dice: Dice, side: SidePlan, start: float) -> None:
    """What closes the view across a park."""
    for k in range(4):
        leaves = foliage(dice)
        tall = dice.uniform(4, 9)
        y = side.side * (side.front + dice.uniform(9, 13))
        builder.start('vegetation', start + BLOCK_M * (k + 0.5) / 4, y)
        builder.ellipsoid((0, 0, 0.4 * tall), (BLOCK_M * 0.36, 5.0, tall), leaves)


def _street_furniture(
    builder: Builder, dice: Dice, plan: StreetPlan, side: SidePlan, index: int
) -> list[Vector]:
    """Trees, lamps and signs in the strip at the kerb, in slots of four metres."""
    y = side.side * (side.kerb + 0.5 * _ZONE_M)
    lamps = []
    for slot in range(6):
        x = index * BLOCK_M + 4 * slot + 2 + dice.uniform(-0.8, 0.8)
        if slot == 1 and (index + (side.side > 0)) % 2 == 0:
            height = 5.0 + 2.5 * (plan.seed % 3) / 2
            lamps.append(street_lamp(builder, dice, x, y, side.side, height))
        elif slot in (0, 3) and dice.chance(0.6 * plan.trees):
            tree(builder, dice, x, y)
        elif dice.chance(0.16):
            traffic_sign(builder, dice, x, y, plan.heading(side.side))
        elif dice.chance(0.1):
            bollard(builder, dice, x, y)
    return lamps


def _parked_vehicles(
    builder: Builder, dice: Dice, plan: StreetPlan, side: SidePlan, index: int
) -> None:
    y = side.side * (side.kerb - 0.5 * PARKING_M)
    heading = 0.0 if plan.heading(side.side) > 0 else math.pi
    for slot in range(3):
        if dice.chance(plan.parked):
            x = index * BLOCK_M + (slot + 0.5) * BLOCK_M / 3 + dice.uniform(-0.5, 0.5)
            yaw = heading + dice.uniform(-0.03, 0.03)
            builder.start_thing('vehicle', _standing_id(side, index, slot), x, y, 0.0, yaw)
            vehicle(builder, dice, parked=True)


def _bystanders(
    builder: Builder, dice: Dice, plan: StreetPlan, side: SidePlan, index: int
) -> None:
    y = side.side * (side.kerb + side.sidewalk - 0.4)
    for slot in range(2):
        if dice.chance(0.3 * plan.bustle):
            x = index * BLOCK_M + dice.uniform(12.0 * slot + 1, 12.0 * slot + 11)
            yaw = dice.uniform(0, 6.28)
            builder.start_thing('person', _standing_id(side, index, 8 + slot), x, y, KERB_M, yaw)
            person(builder, dice)


def _standing_id(side: SidePlan, index: int, place: int) -> int:
    """Instance id of a place, 0…15, on one side of a block."""
    return instance_id(STANDING, 32 * index + 16 * (side.side > 0) + place)
