"""A furnished room and a camera that goes round in it.

Furniture stands in a strip along the walls and in the middle; the camera keeps to an ellipse
between the two, so a drive may go on for as long as it likes.
"""

import math

from emu_model.geometry import Intrinsics
from emu_model.scenes.camera import Camera
from emu_model.scenes.dice import Dice
from emu_model.scenes.interior import furnish
from emu_model.scenes.persons import person
from emu_model.scenes.primitives import Builder, Primitives
from emu_model.scenes.room_plan import CLEAR_M, RoomPlan, plan_room
from emu_model.scenes.world import Air, Lamp, Light, Sensor, Spot, World

_VISITOR = 2000
_STEPS_RAD_PER_M = 4.2


class Room:
    """One room.

    Args:
        seed: Decides everything about it.
    """

    def __init__(self, seed: int) -> None:
        self._plan = plan_room(seed)
        self._light, self._sensor = _lighting(self._plan)
        self._standing = furnish(self._plan, self._light.source[:2])
        self._spots = _spots(self._plan)
        dice = Dice(seed, 'room motion')
        self._eye = dice.uniform(0.55, 1.65)
        self._pitch = dice.uniform(-0.26, 0.22) - 0.12 * (self._eye - 0.55)
        self._roll = dice.uniform(-0.03, 0.03)
        self._phase = dice.uniform(0, 2 * math.pi)
        # Slow enough that pictures at camera rate overlap well.
        rate = min(0.22, dice.uniform(0.3, 0.7) / max(self._plan.ring))
        self._rate = rate if dice.chance(0.5) else -rate
        self._gaze = dice.uniform(-1.2, 1.2)
        self._focal = dice.uniform(0.7, 1.1)
        self._baseline = dice.uniform(0.06, 0.12)

    def camera(self, time_s: float, height: int, width: int, focal_px: float | None) -> Camera:
        """The left camera at a moment."""
        focal = self._focal * width if focal_px is None else focal_px
        angle = self._phase + self._rate * time_s
        bob = 0.01 * math.sin(3.0 * time_s)
        # From the ring to the far side of the room, more or less.
        yaw = angle + math.pi + self._gaze + 0.15 * math.sin(0.35 * time_s)
        return Camera(
            Intrinsics(focal, focal, 0.5 * (width - 1), 0.5 * (height - 1)),
            height,
            width,
            (*_on_ellipse(self._plan.ring, angle), self._eye + bob),
            yaw=yaw,
            pitch=self._pitch + 0.2 * bob,
            roll=self._roll,
        )

    def world(self, time_s: float, height: int, width: int, focal_px: float | None) -> World:
        """Everything in the room at a moment."""
        return World(
            primitives=Primitives.join([self._standing, self._visitor(time_s)]),
            sky=None,
            light=self._light,
            air=Air(0.001, (0.5, 0.5, 0.5)),
            sensor=self._sensor,
            camera=self.camera(time_s, height, width, focal_px),
            baseline_m=self._baseline,
            spots=self._spots,
        )

    def _visitor(self, time_s: float) -> Primitives:
        """In some rooms a person walks round as well, on the other side of the ellipse."""
        builder = Builder()
        ring = self._plan.ring
        dice = Dice(self._plan.seed, 'room visitor')
        if dice.chance(0.45) and min(ring) >= 0.55:
            angle = self._phase + self._rate * time_s + dice.uniform(0.75, 1.25) * math.pi
            forward = math.copysign(1.0, self._rate)
            dx, dy = -ring[0] * math.sin(angle), ring[1] * math.cos(angle)
            yaw = math.atan2(forward * dy, forward * dx)
            builder.start_thing('person', _VISITOR, *_on_ellipse(ring, angle), 0.0, yaw)
            walked = time_s * max(ring) * abs(self._rate)
            person(builder, dice, _STEPS_RAD_PER_M * walked)
        return builder.primitives()


def _on_ellipse(axes: tuple[float, float], angle: float) -> tuple[float, float]:
    return axes[0] * math.cos(angle), axes[1] * math.sin(angle)


def _spots(plan: RoomPlan) -> tuple[Spot, ...]:
    """Before the furniture, all round, and one that hangs above the camera's way."""
    dice = Dice(plan.seed, 'spots')
    reach = plan.ring[0] + CLEAR_M + 0.1, plan.ring[1] + CLEAR_M + 0.1
    spots = []
    for k in range(8):
        angle = 0.785 * k + dice.uniform(-0.2, 0.2)
        spots.append(Spot(k, (*_on_ellipse(reach, angle), 0.0), dice.uniform(0.45, 0.8)))
    x, y = (0.5 * axis * dice.uniform(-1, 1) for axis in plan.ring)
    return (*spots, Spot(8, (x, y, plan.height - 0.65), 0.6))


def _lighting(plan: RoomPlan) -> tuple[Light, Sensor]:
    """A lamp at the ceiling, light from the windows, and the exposure for both."""
    dice = Dice(plan.seed, 'room light')
    warm = dice.uniform(0.0, 1.0)
    strength = 1.5 * dice.uniform(0.35, 1.0)
    x, y = (0.35 * half * dice.uniform(-1, 1) for half in plan.half)
    day = plan.daylight
    light = Light(
        (x, y, plan.height - 0.12, 1.0),
        (strength, strength * (0.93 - 0.12 * warm), strength * (0.85 - 0.3 * warm)),
        (0.22 + 0.32 * day, 0.22 + 0.33 * day, 0.2 + 0.35 * day),
        (0.3 + 0.12 * day, 0.28 + 0.12 * day, 0.25 + 0.12 * day),
        lamps=tuple(_window_light(plan, wall) for wall in plan.windows),
        daylight=0.6 + day,
        lamplight=1.0,
    )
    tint = dice.uniform(-0.1, 0.1)
    exposure = dice.uniform(0.75, 1.15)
    sensor = Sensor(
        (exposure * (1 + tint), exposure, exposure * (1 - tint)),
        dice.uniform(0.008, 0.025),
        dice.uniform(0.05, 0.3),
    )
    return light, sensor


def _window_light(plan: RoomPlan, wall: int) -> Lamp:
    x, y = plan.on_wall(wall, plan.windows[wall] * plan.length(wall))
    day = plan.daylight
    return Lamp((0.97 * x, 0.97 * y, 1.5), (2.2 * day, 2.35 * day, 2.6 * day))
