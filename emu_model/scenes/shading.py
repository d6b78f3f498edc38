"""From surfaces to radiance: light, mirrored sky, haze."""

import numpy as np

from emu_model.scenes.noise import fractal_noise
from emu_model.scenes.surfaces import Surfaces
from emu_model.scenes.textures import paint
from emu_model.scenes.vectors import dot
from emu_model.scenes.world import Air, Light, Sky, World


def _column(colour: tuple[float, float, float]) -> np.ndarray:
    return np.array(colour, np.float32)[:, None]


def _towards_sun(light: Light) -> np.ndarray:
    return np.array(light.source[:3], np.float32)


def sky_radiance(sky: Sky, light: Light, direction: np.ndarray) -> np.ndarray:
    """Radiance of the sky.

    Args:
        sky: Its colours and clouds.
        light: Where the sun stands.
        direction: Unit directions in the world, float32 (3, N).

    Returns:
        float32 (3, N).
    """
    height = np.clip(direction[2], 0, 1)
    fade = (1 - height) ** 2
    fade *= fade
    radiance = _column(sky.zenith) + fade * (_column(sky.horizon) - _column(sky.zenith))
    if sky.clouds > 0:
        # A flat layer of clouds: the view cuts it at a distance of 1/height.
        reach = 1 / (height + np.float32(0.12))
        noise = fractal_noise(
            direction[0] * reach * 1.1,
            direction[1] * reach * 1.1,
            0.01 * reach,
            np.full(direction.shape[1], sky.seed, np.uint32),
            4,
        )
        cover = np.clip((noise + np.float32(sky.clouds - 0.5)) * 3.5 + 0.5, 0, 1)
        cover *= np.clip(height * 7, 0, 1)
        radiance += cover * (_column(sky.cloud_colour) - radiance)
    if not light.source[3]:
        glow = np.clip(dot(direction, _towards_sun(light)), 0, 1)
        for _ in range(5):
            glow = glow * glow
        radiance += np.float32(0.35) * glow * _column(light.colour)
    return radiance


def _irradiance(surfaces: Surfaces, light: Light, lit: np.ndarray) -> np.ndarray:
    normal = surfaces.normal
    up = 0.5 + 0.5 * normal[2]
    total = _column(light.below) + up * (_column(light.above) - _column(light.below))
    *source, positioned = light.source
    if positioned:
        facing, distance2 = _towards(surfaces, tuple(source))
        total += lit * facing * (4 / (distance2 + 1)) * _column(light.colour)
    else:
        facing = dot(normal, _towards_sun(light))
        total += lit * np.clip(facing, 0, 1) * _column(light.colour)
    for lamp in light.lamps:
        if not any(lamp.colour):
            continue
        facing, distance2 = _towards(surfaces, lamp.position)
        total += facing / (distance2 + 1) * _column(lamp.colour)
    return total


def _towards(
    surfaces: Surfaces, position: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Cosine between normal and the direction to a light, and its squared distance."""
    away = [(position[i] - surfaces.point[i]).astype(np.float32) for i in range(3)]
    distance2 = dot(away, away)
    cosine = dot(surfaces.normal, away) / np.sqrt(distance2 + 1e-6)
    return np.clip(cosine, 0, 1), distance2


def _occlusion(surfaces: Surfaces, floor_m: float) -> np.ndarray:
    """Ambient light is missing near the floor on whatever stands on it."""
    height = np.clip((surfaces.point[2] - floor_m).astype(np.float32) * 1.6, 0, 1)
    upright = 1 - np.abs(surfaces.normal[2])
    return 1 - np.float32(0.5) * (1 - height) * upright


def through_air(radiance: np.ndarray, distance: np.ndarray, air: Air) -> np.ndarray:
    """Koschmieder's air light: radiance·t + colour·(1 − t), t = exp(−extinction·distance).

    Args:
        radiance: What would be seen without air, float32 (3, N).
        distance: Length of the path through the air in metres, float32 (N,).
        air: Haze or fog.

    Returns:
        float32 (3, N).
    """
    transmission = np.exp(np.float32(-air.extinction_per_m) * distance)
    colour = _column(air.colour)
    return colour + transmission * (radiance - colour)


def surface_radiance(world: World, surfaces: Surfaces, lit: np.ndarray) -> np.ndarray:
    """Radiance of surface points at the camera.

    Args:
        world: Light and air.
        surfaces: The points.
        lit: Share of the shadow-throwing light that reaches each point, float32 (N,).

    Returns:
        float32 (3, N).
    """
    light = world.light
    colour, gloss, emission = paint(surfaces, world.primitives, light.daylight, light.lamplight)
    irradiance = _irradiance(surfaces, light, lit) * _occlusion(surfaces, world.floor_m)
    radiance = colour * irradiance * (1 - gloss) + emission
    shiny = np.flatnonzero(gloss > 0)
    if shiny.size:
        normal, view = surfaces.normal.take(shiny, axis=1), surfaces.view.take(shiny, axis=1)
        facing = dot(normal, view)
        mirrored = view - 2 * facing * normal
        grazing = np.clip(1 + facing, 0, 1) ** 2
        share = gloss[shiny] * (1 + 2 * grazing * grazing * (1 - gloss[shiny]))
        radiance[:, shiny] += share * _surroundings(world, mirrored, lit[shiny])
    return through_air(radiance, surfaces.distance, world.air)


def _surroundings(world: World, direction: np.ndarray, lit: np.ndarray) -> np.ndarray:
    light = world.light
    ground = _column(light.below) * np.float32(0.5)
    if world.sky is None:
        up = np.clip(0.5 + 0.5 * direction[2], 0, 1)
        return ground + up * (_column(light.above) - ground)
    radiance = sky_radiance(world.sky, light, direction)
    # Houses and trees stand before the lowest part of the sky.
    share = np.clip(direction[2] * 4, 0, 1)
    radiance = ground + share * (radiance - ground)
    spot = np.clip(dot(direction, _towards_sun(light)), 0, 1)
    for _ in range(6):
        spot = spot * spot
    return radiance + 6 * spot * lit * _column(light.colour)


def background(world: World, direction: np.ndarray) -> np.ndarray:
    """Radiance where there is no surface.

    Args:
        world: Sky and air; a room without sky is dark there.
        direction: Unit directions in the world, float32 (3, N).

    Returns:
        float32 (3, N).
    """
    if world.sky is None:
        return np.zeros_like(direction)
    radiance = sky_radiance(world.sky, world.light, direction)
    path = world.air.depth_m / np.maximum(direction[2], np.float32(1e-3))
    return through_air(radiance, path, world.air)
