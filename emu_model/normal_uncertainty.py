"""How uncertain a model normally is: the levels that alarms and thresholds are relative to."""

from collections import defaultdict

import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
PIXELS_PER_FRAME = 4096
"""Pixels that each frame adds to the pixel quantiles, evenly spread; frames can be of any size."""

UNCERTAINTIES = ('entropy', 'depth_std')
"""The outputs that are uncertainties."""


class NormalUncertainty:
    """Quantiles of each uncertainty over the frames of a data set: frame means, and pixels."""

    def __init__(self) -> None:
        self._frame_means = defaultdict(list)
        self._pixels = defaultdict(list)

    def update(self, maps: dict[str, np.ndarray]) -> None:
        """Add a batch of frames.

        Args:
            maps: Maps (B, H, W) by output name; those that are no uncertainty are ignored.
        """
        for name in UNCERTAINTIES:
            for frame in maps.get(name, ()):
                values = np.asarray(frame, np.float32).ravel()
                chosen = np.linspace(0, values.size - 1, min(values.size, PIXELS_PER_FRAME))
                self._frame_means[name].append(float(values.mean(dtype=np.float64)))
                self._pixels[name].append(values[chosen.round().astype(int)])

    def quantiles(self) -> dict[str, dict[str, dict[str, float]]]:
        """{output: {'frame_mean' | 'pixel': {quantile: value}}}, as a checkpoint keeps it."""
        return {
            name: {
                'frame_mean': _quantiles(np.array(means)),
                'pixel': _quantiles(np.concatenate(self._pixels[name])),
            }
            for name, means in self._frame_means.items()
        }


def _quantiles(values: np.ndarray) -> dict[str, float]:
    found = np.quantile(values.astype(np.float64), QUANTILES)
    return {str(quantile): float(f'{value:.6g}') for quantile, value in zip(QUANTILES, found)}
