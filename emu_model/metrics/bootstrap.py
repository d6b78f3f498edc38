"""How much a figure depends on which frames happened to be evaluated."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emu_model.metrics.group import MetricGroup


def bootstrap(
    group: MetricGroup,
    frames: Sequence[Mapping[str, Tensor]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Figures over data sets resampled from the frames with replacement (Efron 1979).

    Pixels of a frame hang together, so frames are what is drawn. Quantiles of an array are the
    percentile interval of its figure. Two networks evaluated on the same frames, with the same
    seed, get the same draws, so that arrays of both may be subtracted for a paired interval.

    Args:
        group: A group like the one that gave the sums; it is not changed. Call this on one
            process only.
        frames: For each frame, sums() of the group after that frame alone.
        resamples: Number of resampled data sets.
        seed: Seed of the draws.

    Returns:
        Each figure that is a single number, float64 (resamples,), NaN where it is undefined.

    Raises:
        ValueError: If there is no frame.
    """
    if not frames:
        raise ValueError('there are 0 frames to resample, expected at least 1: evaluate some')
    count = len(frames)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    times = torch.from_numpy(draws).double()
    resampled = {}
    for name in frames[0]:
        stacked = torch.stack([frame[name].cpu() for frame in frames])
        # Counts stay exact in float64 up to 2^53.
        total = times @ stacked.double().reshape(count, -1)
        resampled[name] = total.reshape(resamples, *stacked.shape[1:]).to(stacked.dtype)
    return _figures(copy.deepcopy(group).cpu(), resampled, resamples)


def _figures(
    group: MetricGroup, resampled: Mapping[str, Tensor], resamples: int
) -> dict[str, np.ndarray]:
    rows = []
    for index in range(resamples):
        group.reset()
        group.add_sums({name: values[index] for name, values in resampled.items()})
        rows.append(group.compute())
    numbers = [key for key, value in rows[0].items() if not isinstance(value, list)]
    return {key: np.array([row[key] for row in rows], dtype=np.float64) for key in numbers}
