"""What is in a room: floor, walls, windows and doors, furniture."""

import math

from emu_model.scenes import furniture
from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import (
    Material,
    Texture,
    cells,
    fabric,
    hsv,
    lamp,
    plain,
    plaster,
    random_seed,
    stripes,
    wood,
)
from emu_model.scenes.primitives import Builder, Primitives
from emu_model.scenes.room_plan import STRIP_M, RoomPlan

_WALL_M = 0.2
# Instance ids: 100 for each wall, of which 50 on are pictures and the 90th is a curtain.
_CENTREPIECE, _LAMP, _ALONG_WALLS = 1000, 3000, 3100


def furnish(plan: RoomPlan, lamp_at: tuple[float, float]) -> Primitives:
    """Everything in a room that stays where it is.

    Args:
        plan: The room.
        lamp_at: Where on the ceiling the lamp is, in metres.
    """
    builder = Builder()
    dice = Dice(plan.seed, 'room shell')
    _floor_and_ceiling(builder, dice, plan)
    _walls(builder, dice, plan)
    _ceiling_lamp(builder, dice, plan, lamp_at)
    for wall in range(4):
        dice = Dice(plan.seed, 'room wall', wall)
        _window(builder, dice, plan, wall)
        _along_wall(builder, dice, plan, wall)
    _centre(builder, Dice(plan.seed, 'room centre'), plan)
    return builder.primitives()


def _floor_and_ceiling(builder: Builder, dice: Dice, plan: RoomPlan) -> None:
    hx, hy = plan.half
    builder.start('floor')
    ground = (2 * hx + 0.4, 2 * hy + 0.4, 0.4)
    builder.box((0, 0, -0.2), ground, _flooring(dice), in_world=True)
    if min(plan.ring) > 0.6 and dice.chance(0.55):
        rug = fabric(dice)
        if dice.chance(0.5):
            colours = [hsv(dice.uniform(), dice.uniform(0.2, 0.8), 0.6) for _ in range(2)]
            rug = stripes(*colours, dice.uniform(0.1, 0.5), 0.5, dice)
        size = (dice.uniform(1.0, 1.5) * plan.ring[0], dice.uniform(1.0, 1.5) * plan.ring[1])
        builder.box((0, 0, 0.0), (*size, 0.02), rug)
    builder.label('ceiling')
    white = plain(hsv(0.12, dice.uniform(0, 0.1), dice.uniform(0.8, 0.97)), dice, grain=0.04)
    tiles = cells(white.colour, (0.3, 0.3, 0.3), (0.6, 0.6), dice, variation=0.05)
    top = tiles if dice.chance(0.3) else white
    builder.box((0, 0, plan.height + 0.2), ground, top, in_world=True)


def _walls(builder: Builder, dice: Dice, plan: RoomPlan) -> None:
    paper = _walling(dice)
    other = _walling(dice) if dice.chance(0.3) else paper
    skirting = plain(hsv(0.1, dice.uniform(0, 0.5), dice.uniform(0.2, 0.95)), dice)
    for wall in range(4):
        x, y = plan.on_wall(wall, 0.5 * plan.length(wall))
        builder.start('wall', x, y, 0.0, plan.yaw(wall))
        length = plan.length(wall)
        look = other if wall == 0 else paper
        size = (length + 2 * _WALL_M, _WALL_M, plan.height)
        builder.box((0, -0.5 * _WALL_M, 0.5 * plan.height), size, look)
        builder.box((0, 0, 0.05), (length, 0.03, 0.1), skirting)


def _ceiling_lamp(
    builder: Builder, dice: Dice, plan: RoomPlan, place: tuple[float, float]
) -> None:
    builder.start_thing('furniture', _LAMP, *place)
    shine = lamp((1.0, 0.93, 0.8), 2.2)
    if dice.chance(0.5):
        builder.cylinder((0, 0, plan.height - 0.04), (0.45, 0.45, 0.08), shine)
    else:
        builder.box((0, 0, plan.height - 0.03), (1.1, 0.25, 0.06), shine)


def _flooring(dice: Dice) -> Material:
    kind = dice.uniform()
    if kind < 0.45:
        return wood(dice, dice.uniform(0.07, 0.18), gloss=0.08)
    if kind < 0.75:
        colour = hsv(dice.uniform(), dice.uniform(0, 0.25), dice.uniform(0.35, 0.9))
        joint = tuple(0.45 * c for c in colour)
        size = dice.uniform(0.2, 0.6)
        return cells(colour, joint, (size, size), dice, joint_m=0.008, variation=0.12, gloss=0.08)
    colour = hsv(dice.uniform(), dice.uniform(0, 0.5), dice.uniform(0.3, 0.7))
    return plain(colour, dice, grain=0.35, grain_size_m=0.03)


def _walling(dice: Dice) -> Material:
    kind = dice.uniform()
    if kind < 0.6:
        return plaster(dice)
    if kind < 0.8:
        first = hsv(dice.uniform(), dice.uniform(0.05, 0.4), dice.uniform(0.65, 0.95))
        second = tuple(min(1.0, c * dice.uniform(0.6, 1.3)) for c in first)
        return stripes(first, second, dice.uniform(0.1, 0.4), 0.5, dice, grain=0.08)
    if kind < 0.9:
        colour = hsv(dice.uniform(), dice.uniform(0, 0.3), dice.uniform(0.6, 0.95))
        return cells(colour, (0.5, 0.5, 0.5), (0.2, 0.2), dice, variation=0.15, gloss=0.05)
    return Material(
        Texture.CELLS,
        hsv(0.03, 0.4, 0.6),
        (0.5, 0.48, 0.45),
        (0.24, 0.09, 0.5, 0.012, 0.35, 0.0),
        random_seed(dice),
    )


def _window(builder: Builder, dice: Dice, plan: RoomPlan, wall: int) -> None:
    """A window with or without curtains, if the wall has one."""
    if wall not in plan.windows:
        return
    length, yaw = plan.length(wall), plan.yaw(wall)
    width = min(dice.uniform(0.9, 2.2), length - 2.2)
    bottom = dice.uniform(0.75, 1.0)
    height = min(dice.uniform(0.9, 1.4), plan.height - bottom - 0.2)
    x, y = plan.on_wall(wall, plan.windows[wall] * length)
    builder.start('opening', x, y, 0.0, yaw)
    furniture.window(builder, dice, width, bottom, height)
    if dice.chance(0.5):
        builder.start_thing('furniture', _ALONG_WALLS + 100 * wall + 90, x, y, 0.0, yaw)
        furniture.curtains(builder, dice, width, bottom, height)


def _along_wall(builder: Builder, dice: Dice, plan: RoomPlan, wall: int) -> None:
    """Furniture, a door and pictures, from one end of a wall to the other."""
    length, yaw = plan.length(wall), plan.yaw(wall)
    instance = _ALONG_WALLS + 100 * wall
    has_window = wall in plan.windows
    has_door = wall == plan.seed % 4
    # Corners belong to the walls across x, so that no two pieces claim the same one.
    along = 0.15 if wall % 2 == 0 else STRIP_M
    end = length - along
    while True:
        along += dice.uniform(0.02, 0.7)
        room = end - along
        if has_door and dice.chance(0.5) and room > 1.2:
            if not has_window:
                x, y = plan.on_wall(wall, along + 0.6)
                builder.start('opening', x, y, 0.0, yaw)
                furniture.door(builder, dice)
                along += 1.25
            has_door = False
            continue
        fitting = [piece for piece in furniture.PIECES if piece.widest_m <= room]
        if not fitting:
            return
        piece = dice.pick(fitting)
        if has_window and piece.build is furniture.shelf:
            piece = furniture.CHAIR  # A shelf would hide the window.
        x, y = plan.on_wall(wall, along + 0.5 * piece.widest_m)
        builder.start_thing('furniture', instance, x, y, 0.0, yaw)
        taken = piece.build(builder, dice)
        if piece.low and not has_window:
            builder.start_thing('furniture', instance + 50, x, y, 0.0, yaw)
            furniture.picture(builder, dice, dice.uniform(1.45, 1.75))
        along += 0.5 * (piece.widest_m + taken)
        instance += 1


def _centre(builder: Builder, dice: Dice, plan: RoomPlan) -> None:
    """A table with chairs where there is space."""
    if plan.middle < 0.55 or not dice.chance(0.85):
        return
    turn = dice.uniform(0, 2 * math.pi)
    radius = min(plan.middle, 1.5)
    builder.start_thing('furniture', _CENTREPIECE, 0.0, 0.0, 0.0, turn)
    top = max(0.5, radius - 0.45)
    furniture.table(builder, dice, top)
    if radius < 0.95:
        return
    for k in range(dice.integer(1, 5)):
        angle = turn + 0.5 * math.pi * k
        away = radius - 0.05
        x, y = away * math.cos(angle), away * math.sin(angle)
        yaw = angle + 0.5 * math.pi + dice.uniform(-0.3, 0.3)
        builder.start_thing('furniture', _CENTREPIECE + 1 + k, x, y, 0.0, yaw)
        furniture.chair(builder, dice)
