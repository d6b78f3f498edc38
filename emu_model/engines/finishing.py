"""From what a network's raw outputs say to what a Prediction promises, whatever runs the network.

Metres where the network predicts inverse depth, offsets in pixels of the map instead of the
network's input, and instances, which are made of the maps of two tasks.
"""

import numpy as np

from emu_model.batches import batch_of
from emu_model.checkpoint import CheckpointInfo
from emu_model.grouping import group_by_votes
from emu_model.inverse_depth import to_metres
from emu_model.tasks import GROUPED_OUTPUTS, TASKS

_OFFSETS = TASKS['instance'].outputs
_DEPTH = TASKS['depth'].outputs


def needed_maps(wanted: tuple[str, ...], info: CheckpointInfo) -> tuple[str, ...]:
    """The maps that the network itself has to give for those that are wanted."""
    needed = [name for name in wanted if name not in GROUPED_OUTPUTS]
    if 'instances' in wanted:
        needed += ['classes', *_OFFSETS]
    if _predicts_inverse(info) and not set(_DEPTH).isdisjoint(wanted):
        needed += _DEPTH
    return tuple(dict.fromkeys(needed))


def finish_maps(
    maps: dict[str, np.ndarray],
    wanted: tuple[str, ...],
    info: CheckpointInfo,
    magnified: tuple[float, float],
) -> dict[str, np.ndarray]:
    """The wanted maps of those that the network gave.

    Args:
        maps: The maps of `needed_maps`, (B, H, W).
        wanted: Names of the maps wanted.
        info: Of the checkpoint.
        magnified: Rows and columns of a map over those of the network's input.
    """
    if _predicts_inverse(info) and not set(_DEPTH).isdisjoint(maps):
        maps |= zip(_DEPTH, to_metres(*(maps[name] for name in _DEPTH), info.depth_range_m))
    rows, columns = magnified
    for name, factor in zip(_OFFSETS, (columns, rows)):
        if name in maps and factor != 1:
            maps[name] = maps[name] * np.float32(factor)
    if 'instances' in wanted:
        frames = zip(maps['classes'], *(maps[name] for name in _OFFSETS))
        maps['instances'] = batch_of([group_by_votes(*frame, info.things) for frame in frames])
    return {name: maps[name] for name in wanted}


def _predicts_inverse(info: CheckpointInfo) -> bool:
    # Several samples are averaged in metres (emu_model.sampling).
    return info.depth_target == 'inverse' and info.method == 'single'
