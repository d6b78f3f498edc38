"""Ways in which a scene differs from what networks are trained on."""

import math
from collections.abc import Callable
from dataclasses import replace

from emu_model.labels import UNLABELLED
from emu_model.scenes.dice import Dice
from emu_model.scenes.materials import Colour, Material, Texture, hsv, random_seed
from emu_model.scenes.primitives import Builder, Primitives
from emu_model.scenes.world import Lamp, World

Shift = Callable[[World, Dice, float], World]
"""Changes a world: its random stream and a strength (1 as a rule, 0 for no change)."""

_UNKNOWN_INSTANCE, _UNKNOWN_INSTANCES = 57345, 8190


def _scaled(colour: Colour, factor: float, tint: Colour = (1.0, 1.0, 1.0)) -> Colour:
    red, green, blue = (factor * c * t for c, t in zip(colour, tint))
    return red, green, blue


def fog(world: World, dice: Dice, strength: float) -> World:
    """Fog of about 80 m visibility (Koschmieder: 3.912/extinction), 12 m in a room: smoke."""
    visibility = 80.0 if world.sky else 12.0
    extinction = 3.912 / visibility * dice.uniform(0.8, 1.25) * strength
    grey = dice.uniform(0.55, 0.8)
    # The thicker the air, the less of the sun comes through it, and the more from everywhere.
    direct = math.exp(-1.2 * strength)
    light = replace(world.light, colour=_scaled(world.light.colour, direct))
    air = replace(
        world.air,
        extinction_per_m=world.air.extinction_per_m + extinction,
        colour=(grey, grey * 1.01, grey * 1.03) if strength else world.air.colour,
        depth_m=40.0 * min(1.0, strength),
    )
    return replace(world, air=air, light=light if world.sky else world.light)


def night(world: World, dice: Dice, strength: float) -> World:
    """Sun and sky go down; lamps, lit windows and the vehicle's headlights remain."""
    if not strength:
        return world
    dark = 0.03 ** min(strength, 1.5)
    blue = (0.75, 0.9, 1.35)
    light, sky = world.light, world.sky
    x, y = world.camera.position[:2]
    if sky is not None:
        lamps = tuple(
            Lamp(lamp.position, _scaled((16.0, 11.5, 6.5), dice.uniform(0.7, 1.2)))
            for lamp in light.lamps
        )
        lamps = (*lamps, Lamp((x + 1.0, y, 0.7), (45.0, 42.0, 37.0)))
        sky = replace(
            sky,
            zenith=_scaled(sky.zenith, 0.6 * dark, blue),
            horizon=_scaled(sky.horizon, dark, blue),
            cloud_colour=_scaled(sky.cloud_colour, 0.8 * dark, blue),
        )
        colour, lamplight = _scaled(light.colour, dark * 0.4, blue), 1.0
    else:
        lamps = tuple(Lamp(p.position, _scaled(p.colour, dark)) for p in light.lamps)
        colour, lamplight = _scaled(light.colour, 0.22), 0.6
    light = replace(
        light,
        colour=colour,
        above=_scaled(light.above, max(dark, 0.06), blue),
        below=_scaled(light.below, max(dark, 0.06), blue),
        lamps=lamps,
        daylight=light.daylight * dark,
        lamplight=lamplight,
    )
    # The camera turns up its gain.
    gain = 1 + 0.7 * strength
    sensor = replace(
        world.sensor,
        exposure=_scaled(world.sensor.exposure, gain),
        noise=world.sensor.noise * (1 + 1.5 * strength),
    )
    air = replace(world.air, colour=_scaled(world.air.colour, dark, blue))
    return replace(world, light=light, sky=sky, sensor=sensor, air=air)


def noise(world: World, dice: Dice, strength: float) -> World:
    """A sensor at high gain."""
    level = world.sensor.noise + dice.uniform(0.09, 0.14) * strength
    return replace(world, sensor=replace(world.sensor, noise=level))


def blur(world: World, dice: Dice, strength: float) -> World:
    """A lens out of focus: about two pixels at 128 columns."""
    size = world.sensor.blur + dice.uniform(0.011, 0.018) * strength
    return replace(world, sensor=replace(world.sensor, blur=size))


def unknown_objects(world: World, dice: Dice, strength: float) -> World:
    """Objects of no known class stand in the way: gaudy, of shapes that no scene has."""
    builder = Builder()
    seed = dice.integer(0, 1 << 30)
    for spot in world.spots:
        own = Dice(seed, 'unknown object', spot.number)
        if own.chance(min(1.0, 0.8 * strength)):
            instance = _UNKNOWN_INSTANCE + spot.number % _UNKNOWN_INSTANCES
            builder.start_thing(UNLABELLED, instance, *spot.position, own.uniform(0, 6.28))
            own.pick(_SHAPES)(builder, own, 0.5 * spot.size)
    return replace(world, primitives=Primitives.join([world.primitives, builder.primitives()]))


def _gaudy(dice: Dice, size: float) -> Material:
    hue = dice.uniform()
    colour, accent = hsv(hue, 1.0, 1.0), hsv(hue + dice.uniform(0.3, 0.7), 0.95, 0.95)
    pattern = (dice.uniform(0.1, 0.25) * size, 0.5, 0.0, 0.0, 0.0, 0.0)
    return Material(Texture.CHECKER, colour, accent, pattern, random_seed(dice), grain=0.02)


def _ring(builder: Builder, dice: Dice, size: float) -> None:
    """A ring of balls, standing upright, 1.6 sizes high and wide."""
    look = _gaudy(dice, size)
    for k in range(12):
        angle = k * math.pi / 6
        centre = (0.0, 0.7 * size * math.cos(angle), size * (0.95 + 0.7 * math.sin(angle)))
        builder.ellipsoid(centre, (0.44 * size,) * 3, look)


def _star(builder: Builder, dice: Dice, size: float) -> None:
    """Spikes in all directions."""
    look = _gaudy(dice, size)
    for k in range(7):
        turn = (0.9 * k, 0.45 * k, 0.7 * k)
        builder.ellipsoid(
            (0, 0, 0.9 * size), (0.22 * size, 0.22 * size, 1.8 * size), look, turn=turn
        )


def _tower(builder: Builder, dice: Dice, size: float) -> None:
    """Tilted cubes, balanced on their corners."""
    for k in range(3):
        turn = (dice.uniform(0, 3), 0.615, 0.785)
        edge = 0.62 * size * (1 - 0.2 * k)
        z = (0.5 + 0.9 * k * (1 - 0.1 * k)) * size
        builder.box((0, 0, z), (edge,) * 3, _gaudy(dice, size), turn=turn)


def _saucer(builder: Builder, dice: Dice, size: float) -> None:
    """A disc with a dome on three struts."""
    look = _gaudy(dice, size)
    builder.ellipsoid((0, 0, 1.1 * size), (2.0 * size, 2.0 * size, 0.4 * size), look)
    builder.ellipsoid((0, 0, 1.3 * size), (0.9 * size, 0.9 * size, 0.7 * size), _gaudy(dice, size))
    for k in range(3):
        yaw = 2.094 * k
        x, y = 0.6 * size * math.cos(yaw), 0.6 * size * math.sin(yaw)
        strut = (0.08 * size, 0.08 * size, 1.2 * size)
        builder.cylinder((x, y, 0.5 * size), strut, look, turn=(yaw, -0.35, 0.0))


_SHAPES = (_ring, _star, _tower, _saucer)

SHIFTS: dict[str, Shift] = {
    'fog': fog,
    'night': night,
    'noise': noise,
    'blur': blur,
    'unknown_objects': unknown_objects,
}
"""Shifts by name. All but unknown_objects leave depth, classes and instances as they are."""
