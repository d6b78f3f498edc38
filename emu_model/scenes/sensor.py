"""From radiance to the picture a camera gives."""

import numpy as np

from emu_model.scenes.world import Sensor


def expose(radiance: np.ndarray, sensor: Sensor, noise: np.random.Generator | None) -> np.ndarray:
    """Lens, sensor and tone curve.

    Args:
        radiance: Linear light, float32 (H, W, 3).
        sensor: Exposure, blur, vignette and noise level.
        noise: Where the noise comes from; None for a noiseless picture.

    Returns:
        uint8 RGB (H, W, 3).
    """
    height, width, _ = radiance.shape
    light = blurred(radiance, sensor.blur * width) if sensor.blur > 0 else radiance
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)
    dimming = 1 - np.float32(0.5 * sensor.vignette) * (x[None, :] ** 2 + y[:, None] ** 2)
    light = light * dimming[..., None] * np.array(sensor.exposure, np.float32)
    # A film-like curve (Narkowicz 2015, fit of the ACES reference rendering transform), then a
    # display gamma of 2, which unlike 2.2 is exact on every machine.
    curve = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    picture = np.sqrt(np.clip(curve, 0, 1))
    if noise is not None and sensor.noise > 0:
        spread = np.float32(sensor.noise) * np.sqrt(np.float32(0.25) + np.float32(0.75) * picture)
        picture = picture + spread * noise.standard_normal(picture.shape, np.float32)
    return (np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def blurred(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian blur; borders repeat the edge.

    Args:
        picture: float32 (H, W, C).
        deviation: Standard deviation in pixels.
    """
    reach = max(1, int(3 * deviation + 0.5))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        padding = [(reach, reach) if axis == a else (0, 0) for a in range(3)]
        padded = np.pad(picture, padding, mode='edge')
        size = picture.shape[axis]
        picture = sum(
            tap * (padded[i : i + size] if axis == 0 else padded[:, i : i + size])
            for i, tap in enumerate(taps)
        )
    return picture
