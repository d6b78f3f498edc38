"""Alarm states of frames, and the moments at which uncertainty rose."""

from collections.abc import Sequence
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.health.uncertainty_alarm import (
    HOLD_S,
    AlarmState,
    UncertaintyAlarms,
    normal_levels,
)


@dataclass(frozen=True)
class Rise:
    """A time of alarm.

    Attributes:
        bag: Name of the recording.
        start_s: When the excess that led to it began, in seconds from the recording's first image.
        end_s: When the last frame before its end was, likewise.
        by: The uncertainties that were in alarm.
        peak_frame: Number of the frame with the highest uncertainty relative to its level.
        peak_ratio: That uncertainty over its level.
    """

    bag: str
    start_s: float
    end_s: float
    by: tuple[str, ...]
    peak_frame: int
    peak_ratio: float


def mark_alarms(rows: Sequence[Row], info: CheckpointInfo, hold_s: float = HOLD_S) -> list[Rise]:
    """Fill the column `alarm` of rows in their order, and find the times of alarm.

    The column stays empty where the checkpoint does not say what is normal.
    """
    levels = normal_levels(info)
    rises: list[Rise] = []
    for bag in dict.fromkeys(row['bag'] for row in rows):
        alarms = UncertaintyAlarms(levels, hold_s)
        of_bag = [row for row in rows if row['bag'] == bag]
        active: set[str] = set()
        begun = excess_begun = None
        for index, row in enumerate(of_bag):
            state = alarms.update(row['time_s'], network_means(row))
            row['alarm'] = state.value if state else None
            if state is AlarmState.ALARM:
                begun = index if begun is None else begun
                active.update(alarms.active())
                continue
            if begun is not None:
                rises.append(_rise(of_bag[excess_begun:index], tuple(sorted(active)), levels))
                begun, excess_begun, active = None, None, set()
            if state is AlarmState.EXCESS:
                excess_begun = index if excess_begun is None else excess_begun
            else:
                excess_begun = None
        if begun is not None:
            rises.append(_rise(of_bag[excess_begun:], tuple(sorted(active)), levels))
    return rises


def network_means(row: Row) -> dict[str, float]:
    """A frame's mean uncertainties as the network gives them, before scaling to the camera."""
    means = {}
    if row.get('entropy_mean') is not None:
        means['entropy'] = row['entropy_mean']
    if row.get('depth_std_mean') is not None:
        means['depth_std'] = row['depth_std_mean'] / row['depth_scale']
    return means


def _rise(rows: Sequence[Row], by: tuple[str, ...], levels) -> Rise:
    ratios = [
        max(network_means(row)[name] / levels[name].raise_above for name in by) for row in rows
    ]
    peak = max(range(len(rows)), key=ratios.__getitem__)
    first, last = rows[0], rows[-1]
    return Rise(
        first['bag'], first['time_s'], last['time_s'], by, rows[peak]['frame'], ratios[peak]
    )
