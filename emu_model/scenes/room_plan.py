"""The lasting decisions about a room: its size, its windows, where one can walk."""

import math
from dataclasses import dataclass

from emu_model.scenes.dice import Dice
from emu_model.scenes.furniture import DEEPEST_M

STRIP_M = DEEPEST_M + 0.05
"""Along the walls, for furniture."""

CLEAR_M = 0.4
"""Between the camera's way and whatever stands in the room."""


@dataclass(frozen=True)
class RoomPlan:
    """A room around the origin; lengths in metres.

    Attributes:
        seed: The scene's seed.
        half: Half its length along x and along y.
        height: From the floor to the ceiling.
        ring: Half axes of the ellipse on which the camera goes round.
        middle: Radius around the origin that is free for furniture; negative for none.
        daylight: Brightness of the windows.
        windows: Where along its wall each window is, as a share, by wall: 0 is at +x, 1 at +y,
            2 at −x, 3 at −y.
    """

    seed: int
    half: tuple[float, float]
    height: float
    ring: tuple[float, float]
    middle: float
    daylight: float
    windows: dict[int, float]

    def length(self, wall: int) -> float:
        """Length of a wall."""
        return 2 * self.half[1 if wall % 2 == 0 else 0]

    def on_wall(self, wall: int, along: float) -> tuple[float, float]:
        """A point on a wall, `along` metres from its right end when facing it."""
        hx, hy = self.half
        return (
            (hx, -hy + along),
            (hx - along, hy),
            (-hx, hy - along),
            (-hx + along, -hy),
        )[wall]

    @staticmethod
    def yaw(wall: int) -> float:
        """Turns +y of what stands at a wall towards the room."""
        return (wall + 1) * 0.5 * math.pi


def plan_room(seed: int) -> RoomPlan:
    """Decides about a room."""
    dice = Dice(seed, 'room')
    half = dice.uniform(1.8, 4.8), dice.uniform(1.8, 4.8)
    height = dice.uniform(2.3, 3.2)
    daylight = dice.uniform(0.25, 1.2)
    ring = half[0] - STRIP_M - CLEAR_M, half[1] - STRIP_M - CLEAR_M
    dice = Dice(seed, 'room windows')
    windows = {wall: dice.uniform(0.35, 0.65) for wall in range(4) if dice.chance(0.4)}
    return RoomPlan(
        seed=seed,
        half=half,
        height=height,
        ring=ring,
        middle=min(ring) - CLEAR_M - 0.1,
        daylight=daylight,
        windows=windows or {dice.integer(0, 4): 0.5},
    )
