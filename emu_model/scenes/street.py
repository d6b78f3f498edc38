"""A straight street without end, and the camera that drives along it.

The street is made block by block, each from a random stream of its own, so a picture costs
only the blocks in sight and a drive may go on for as long as it likes.
"""

import math
from dataclasses import replace

from emu_model.scenes.dice import Dice
from emu_model.scenes.primitives import Builder, Primitives
from emu_model.scenes.street_blocks import Block, build_block
from emu_model.scenes.street_motion import StreetMotion
from emu_model.scenes.street_plan import AHEAD_M, BEHIND_M, BLOCK_M, StreetPlan, plan_street
from emu_model.scenes.weather import weather
from emu_model.scenes.world import Lamp, Spot, World

_LAMPS = 6
_SPOT_SPACING_M = 7.0


class Street:
    """One street.

    Args:
        seed: Decides everything about it.
    """

    def __init__(self, seed: int) -> None:
        self._plan = plan_street(seed)
        self._motion = StreetMotion(self._plan)
        self._weather = weather(seed)
        self.camera = self._motion.camera
        self._blocks: dict[int, Block] = {}

    def world(self, time_s: float, height: int, width: int, focal_px: float | None) -> World:
        """Everything in sight at a moment."""
        here = self._motion.position(time_s)
        blocks = self._blocks_around(here)
        standing = [block.primitives for block in blocks]
        movers = self._motion.movers(time_s)
        lamps = [lamp for block in blocks for lamp in block.lamps]
        nearest = sorted(lamps, key=lambda lamp: abs(lamp[0] - here - 12))[:_LAMPS]
        sky, light, air, sensor = self._weather
        return World(
            primitives=Primitives.join([_ground(self._plan, here), *standing, movers]),
            sky=sky,
            # By day they are off, but they are there for the night to switch on.
            light=replace(light, lamps=tuple(Lamp(place, (0.0, 0.0, 0.0)) for place in nearest)),
            air=air,
            sensor=sensor,
            camera=self.camera(time_s, height, width, focal_px),
            baseline_m=self._motion.baseline_m,
            spots=self._spots(here),
        )

    def _blocks_around(self, here: float) -> list[Block]:
        first = math.floor((here - BEHIND_M) / BLOCK_M)
        last = math.floor((here + AHEAD_M) / BLOCK_M)
        known = self._blocks
        blocks = {
            i: known[i] if i in known else build_block(self._plan, i)
            for i in range(first, last + 1)
        }
        # Those left behind are dropped: a long drive does not grow.
        self._blocks = blocks
        return list(blocks.values())

    def _spots(self, here: float) -> tuple[Spot, ...]:
        """One every few metres, beside the camera's lane."""
        spots = []
        first = math.ceil((here - 5.0) / _SPOT_SPACING_M)
        for k in range(first, math.floor((here + 60.0) / _SPOT_SPACING_M)):
            dice = Dice(self._plan.seed, 'spot', k)
            aside = dice.pick((-1, 1)) * dice.uniform(3.4, 5.5)
            x = _SPOT_SPACING_M * k + dice.uniform(-1.5, 1.5)
            place = (x, self._motion.own_lane + aside, 0.0)
            spots.append(Spot(k, place, dice.uniform(1.8, 3.4)))
        return tuple(spots)


def _ground(plan: StreetPlan, here: float) -> Primitives:
    """Terrain and road around a place: they go on for ever, and so do their textures."""
    builder = Builder()
    middle = here + 0.5 * (AHEAD_M - BEHIND_M)
    length = 2 * AHEAD_M + 300
    builder.start('terrain', middle)
    builder.box((0, 0, -0.53), (length + 800, 900, 1.0), plan.ground['terrain'], in_world=True)
    low, high = -plan.sides[0].kerb, plan.sides[1].kerb
    builder.label('road')
    size = (length, high - low, 1.0)
    builder.box((0, 0.5 * (low + high), -0.5), size, plan.ground['road'], in_world=True)
    return builder.primitives()
