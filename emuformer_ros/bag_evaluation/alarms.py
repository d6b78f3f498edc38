"""Alarm states of frames, and the moments at which uncertainty rose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.health.uncertainty_alarm import (
    AlarmLevels,
    AlarmState,
    UncertaintyAlarms,
    normal_levels,
)


@dataclass(frozen=True)
class Rise:
    """A time of alarm.

    Attributes:
        bag: Name of the recording.
        start_s: When the excess of the uncertainties that raised it began, in seconds from the
            recording's first image. Where another uncertainty was in alarm just before, that can
            be before the end of its time of alarm.
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


def mark_alarms(rows: Sequence[Row], info: CheckpointInfo) -> list[Rise]:
    """Fill the column `alarm` of rows in their order, and find the times of alarm.

    The column stays empty where the checkpoint does not say what is normal.
    """
    levels = normal_levels(info)
    rises: list[Rise] = []
    for bag in dict.fromkeys(row['bag'] for row in rows):
        rises += _mark_recording([row for row in rows if row['bag'] == bag], levels)
    return rises


def network_means(row: Row) -> dict[str, float]:
    """A frame's mean uncertainties as the network gives them, before scaling to the camera."""
    means = {}
    if row.get('entropy_mean') is not None:
        means['entropy'] = row['entropy_mean']
    if row.get('depth_std_mean') is not None:
        means['depth_std'] = row['depth_std_mean'] / row['depth_scale']
    return means


def _mark_recording(rows: Sequence[Row], levels: Mapping[str, AlarmLevels]) -> list[Rise]:
    alarms = UncertaintyAlarms(levels)
    rises: list[Rise] = []
    active: set[str] = set()
    first = None
    for index, row in enumerate(rows):
        state = alarms.update(row['time_s'], network_means(row))
        row['alarm'] = state.value if state else None
        if state is AlarmState.ALARM:
            first = _excess_begun(rows, index, alarms) if first is None else first
            active.update(alarms.active())
        elif first is not None:
            rises.append(_rise(rows[first:index], tuple(sorted(active)), levels))
            first, active = None, set()
    if first is not None:
        rises.append(_rise(rows[first:], tuple(sorted(active)), levels))
    return rises


def _excess_begun(rows: Sequence[Row], raised: int, alarms: UncertaintyAlarms) -> int:
    """Index of the row that the excess began with that led to the alarm raised at a row."""
    begun_s = min(alarms.alarms[name].excess_since_s for name in alarms.active())
    # Stamps can run backwards: of rows with the same time, the last one is meant.
    return next(index for index in range(raised, -1, -1) if rows[index]['time_s'] == begun_s)


def _rise(rows: Sequence[Row], by: tuple[str, ...], levels: Mapping[str, AlarmLevels]) -> Rise:
    ratios = [
        max(network_means(row)[name] / levels[name].raise_above for name in by) for row in rows
    ]
    peak = max(range(len(rows)), key=ratios.__getitem__)
    first, last = rows[0], rows[-1]
    return Rise(
        first['bag'], first['time_s'], last['time_s'], by, rows[peak]['frame'], ratios[peak]
    )
