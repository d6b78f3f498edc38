"""A scene at one moment, ready to be seen: what there is, how it is lit, through which air."""

from dataclasses import dataclass, field

import numpy as np

from emu_model.scenes.camera import Camera
from emu_model.scenes.materials import Colour
from emu_model.scenes.primitives import Primitives


@dataclass(frozen=True)
class Sky:
    """What is seen and mirrored where there is no surface.

    Attributes:
        zenith: Radiance overhead.
        horizon: Radiance at the horizon.
        clouds: Cover, 0…1.
        cloud_colour: Radiance of a cloud.
        seed: Which clouds.
    """

    zenith: Colour
    horizon: Colour
    clouds: float = 0.0
    cloud_colour: Colour = (1.0, 1.0, 1.0)
    seed: int = 0


@dataclass(frozen=True)
class Lamp:
    """A small light that throws no shadow; irradiance falls with the squared distance."""

    position: tuple[float, float, float]
    colour: Colour


@dataclass(frozen=True)
class Light:
    """All light of a scene.

    Attributes:
        source: The light that throws shadows, homogeneous: direction towards it and 0, or
            position and 1.
        colour: Its irradiance on a surface that faces it; of a positioned one at 2 m.
        above: Ambient light on surfaces that look up.
        below: Ambient light on surfaces that look down.
        lamps: Further lights.
        daylight: How bright windows of a room shine.
        lamplight: How bright lamps and lit windows of houses shine.
    """

    source: tuple[float, float, float, float]
    colour: Colour
    above: Colour
    below: Colour
    lamps: tuple[Lamp, ...] = ()
    daylight: float = 1.0
    lamplight: float = 1.0


@dataclass(frozen=True)
class Air:
    """Koschmieder's model: radiance·t + colour·(1 − t), t = exp(−extinction·path length).

    Attributes:
        extinction_per_m: Extinction coefficient; visibility is 3.912 over it.
        colour: Air light.
        depth_m: Thickness of the layer, through which the sky is seen.
    """

    extinction_per_m: float
    colour: Colour
    depth_m: float = 0.0


@dataclass(frozen=True)
class Sensor:
    """How radiance becomes a picture.

    Attributes:
        exposure: Factor on radiance, per channel (white balance).
        noise: Standard deviation of the noise of a bright pixel, display values 0…1.
        vignette: Loss of light in the corners, 0…1.
        blur: Standard deviation of a Gaussian blur, as a share of the image width.
    """

    exposure: Colour = (1.0, 1.0, 1.0)
    noise: float = 0.01
    vignette: float = 0.15
    blur: float = 0.0


@dataclass(frozen=True)
class Spot:
    """A place off the camera's way where something more could stand.

    Attributes:
        number: The same for the same place at all times.
        position: Its middle on the ground, in metres.
        size: Height that an object there may have, in metres.
    """

    number: int
    position: tuple[float, float, float]
    size: float


@dataclass(frozen=True)
class World:
    """A scene at one moment.

    Attributes:
        primitives: All solids around the camera.
        sky: None for a closed room.
        light: All light.
        air: Haze or fog.
        sensor: The camera's electronics.
        camera: The left camera.
        baseline_m: Distance of the right camera to the left one.
        spots: Where shifts may put objects.
        floor_m: Height of the floor, near which there is less ambient light.
    """

    primitives: Primitives
    sky: Sky | None
    light: Light
    air: Air
    camera: Camera
    baseline_m: float
    sensor: Sensor = field(default_factory=Sensor)
    spots: tuple[Spot, ...] = ()
    floor_m: float = 0.0


def unit(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    """The vector at length one."""
    x, y, z = (np.array(vector) / np.sqrt(np.sum(np.square(vector)))).tolist()
    return x, y, z
