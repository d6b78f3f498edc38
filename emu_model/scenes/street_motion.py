"""How the camera drives along a street, and what else moves there.

Every mover keeps to a lane or strip of its own, at one speed for all in it: nothing meets.
"""

import math
from dataclasses import dataclass

from emu_model.geometry import Intrinsics
from emu_model.scenes.camera import Camera
from emu_model.scenes.dice import Dice
from emu_model.scenes.persons import person
from emu_model.scenes.primitives import Builder, Primitives
from emu_model.scenes.street_plan import (
    AHEAD,
    AHEAD_M,
    BEHIND_M,
    ONCOMING,
    PASSING,
    WALKERS,
    StreetPlan,
    instance_id,
)
from emu_model.scenes.vehicles import vehicle

_LONGEST_VEHICLE_M = 13.0
_WALKERS_BEHIND_M, _WALKERS_AHEAD_M = 4.0, 55.0
_STRIPS_M = (1.25, 1.8)  # From the kerb: one for each direction of walking.
_STEPS_RAD_PER_M = 4.2


@dataclass(frozen=True)
class _Row:
    """Vehicles that follow each other at the same speed, some places of the row empty.

    Attributes:
        name: Of the random stream.
        family: Of the instance ids.
        odd: Which half of the family's ids.
        y: Middle of the lane in metres.
        speed: Along x in m/s.
        gap: Mean distance between vehicles in metres.
    """

    name: str
    family: int
    odd: bool
    y: float
    speed: float
    gap: float


class StreetMotion:
    """The camera's way and all traffic.

    Args:
        plan: The street.
    """

    def __init__(self, plan: StreetPlan) -> None:
        self._plan = plan
        dice = Dice(plan.seed, 'street motion')
        self._start = dice.uniform(0, 200)
        self._speed = dice.uniform(3.5, 8.5)
        self._surge = dice.uniform(0.0, 0.35) * self._speed
        self._surge_rate = dice.uniform(0.15, 0.4)
        self._height = dice.uniform(1.2, 2.1)
        self._pitch = dice.uniform(-0.1, 0.04)
        self._roll = dice.uniform(-0.02, 0.02)
        self._yaw = dice.uniform(-0.12, 0.12)
        if dice.chance(0.35):
            self._yaw = dice.uniform(-0.75, 0.75)
        self._lane_offset = dice.uniform(-0.3, 0.3)
        self._phase = dice.uniform(0, 6.28)
        self._focal = dice.uniform(0.7, 1.1)
        self.baseline_m = dice.uniform(0.2, 0.5)
        self._gap_ahead = dice.uniform(9, 45) if dice.chance(0.65) else None
        oncoming_speed, oncoming_gap = dice.uniform(5, 11), dice.uniform(14, 60)
        passing_lead, passing_gap = dice.uniform(-1.5, 2.5), dice.uniform(16, 50)
        self._walk_speed = (dice.uniform(1.0, 1.6), dice.uniform(1.0, 1.6))
        self._walk_gap = dice.uniform(2.5, 7.0) + 14 * (1 - plan.bustle) ** 2

        self._own_lane = 0.5 * plan.drive_side * plan.lane
        lane, slow = self._own_lane, 0.8 * oncoming_speed
        rows = [_Row('oncoming', ONCOMING, False, -lane, -oncoming_speed, oncoming_gap)]
        if plan.lanes == 2:
            speed = self._speed + passing_lead
            rows.append(_Row('passing', PASSING, False, 3 * lane, speed, passing_gap))
            rows.append(_Row('outer', PASSING, True, -3 * lane, -slow, 1.3 * oncoming_gap))
        self._rows = rows

    @property
    def own_lane(self) -> float:
        """Middle of the camera's lane, y in metres."""
        return self._own_lane

    def position(self, time_s: float) -> float:
        """How far the camera has driven along x, in metres."""
        surge = self._surge / self._surge_rate * math.sin(self._surge_rate * time_s + self._phase)
        return self._start + self._speed * time_s + surge

    def camera(self, time_s: float, height: int, width: int, focal_px: float | None) -> Camera:
        """The left camera at a moment."""
        focal = self._focal * width if focal_px is None else focal_px
        lane = self._own_lane + self._plan.drive_side * self._lane_offset
        sway = 0.15 * math.sin(0.31 * time_s + self._phase)
        turn = 0.06 * math.sin(0.23 * time_s + 2 * self._phase)
        bump = 0.006 * math.sin(2.3 * time_s + self._phase)
        return Camera(
            Intrinsics(focal, focal, 0.5 * (width - 1), 0.5 * (height - 1)),
            height,
            width,
            (self.position(time_s), lane + sway, self._height + 0.5 * bump),
            yaw=self._yaw + turn,
            pitch=self._pitch + bump,
            roll=self._roll,
        )

    def movers(self, time_s: float) -> Primitives:
        """All vehicles and persons that move, as far as they can be seen."""
        builder = Builder()
        here = self.position(time_s)
        self._vehicles_ahead(builder, time_s, here)
        for row in self._rows:
            self._vehicles(builder, row, time_s, here)
        for number, side in enumerate(self._plan.sides):
            for strip, (offset, direction) in enumerate(zip(_STRIPS_M, (1, -1))):
                if offset + 0.9 <= side.sidewalk:
                    y = side.side * (side.kerb + offset)
                    way = -direction * self._plan.drive_side
                    self._walkers(builder, time_s, here, y, way, 2 * number + strip)
        return builder.primitives()

    def _vehicles_ahead(self, builder: Builder, time_s: float, here: float) -> None:
        """Vehicles before the camera in its own lane, which keep their distance."""
        if self._gap_ahead is None:
            return
        for k in range(3):
            gap = (self._gap_ahead + 0.5 * _LONGEST_VEHICLE_M) * (k + 1)
            x = here + gap + 0.8 * math.sin(0.4 * time_s + k)
            builder.start_thing('vehicle', instance_id(AHEAD, k), x, self._own_lane)
            vehicle(builder, Dice(self._plan.seed, 'ahead', k))

    def _vehicles(self, builder: Builder, row: _Row, time_s: float, here: float) -> None:
        spacing = row.gap + _LONGEST_VEHICLE_M
        spread = 0.4 * row.gap
        drift = row.speed * time_s
        first = math.ceil((here - BEHIND_M - spread - drift) / spacing)
        last = math.floor((here + AHEAD_M + spread - drift) / spacing)
        for k in range(first, last + 1):
            dice = Dice(self._plan.seed, row.name, k)
            x = k * spacing + drift + dice.uniform(-1, 1) * spread
            if dice.chance(0.75) and -BEHIND_M <= x - here <= AHEAD_M:
                instance = instance_id(row.family, 2 * k + row.odd)
                yaw = 0.0 if row.speed > 0 else math.pi
                builder.start_thing('vehicle', instance, x, row.y, 0.0, yaw)
                vehicle(builder, dice)

    def _walkers(
        self, builder: Builder, time_s: float, here: float, y: float, way: int, strip: int
    ) -> None:
        speed = self._walk_speed[strip % 2]
        drift = way * speed * time_s
        spread = 0.3 * self._walk_gap
        first = math.ceil((here - _WALKERS_BEHIND_M - spread - drift) / self._walk_gap)
        last = math.floor((here + _WALKERS_AHEAD_M + spread - drift) / self._walk_gap)
        for k in range(first, last + 1):
            dice = Dice(self._plan.seed, 'walker', strip, k)
            x = k * self._walk_gap + drift + dice.uniform(-1, 1) * spread
            present = dice.chance(0.25 + 0.55 * self._plan.bustle)
            if present and -_WALKERS_BEHIND_M <= x - here <= _WALKERS_AHEAD_M:
                instance = instance_id(WALKERS, 4 * k + strip)
                yaw = 0.0 if way > 0 else math.pi
                builder.start_thing('person', instance, x, y, self._plan.pavement(x), yaw)
                gait = _STEPS_RAD_PER_M * speed * time_s + dice.uniform(0, 6.28)
                person(builder, dice, gait)
