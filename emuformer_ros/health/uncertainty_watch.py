"""The uncertainty alarm of one camera, fed with the maps that the network gives."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction
from emuformer_ros.health.uncertainty_alarm import (
    AlarmLevels,
    AlarmState,
    UncertaintyAlarm,
    UncertaintyAlarms,
    normal_levels,
)

_CLEAR_SHARE = 0.9
"""Where an alarm at a level of the user's ends, as a share of it."""


@dataclass(frozen=True)
class _Watched:
    """An uncertainty: its words, unit, task, and the parameter with the user's level."""

    words: str
    unit: str
    task: str
    parameter: str


_WATCHED = {
    'entropy': _Watched('semantic uncertainty', 'nats', 'semantic', 'entropy_alarm_nats'),
    'depth_std': _Watched('depth uncertainty', 'm', 'depth', 'depth_std_alarm_m'),
}


class UncertaintyWatch:
    """Compares the mean uncertainties of a camera's frames with what is normal.

    Means and levels are the network's own numbers, before depth is rescaled to the camera's focal
    length. The worker thread feeds it and the executor reads from it.

    Args:
        info: Says what is normal for the network.
        parameter: Gives the present value of a parameter; all that it is asked for may change at
            any time.
    """

    def __init__(self, info: CheckpointInfo, parameter: Callable[[str], Any]) -> None:
        self._normal = normal_levels(info)
        self._known = info.trained_uncertainties
        self._parameter = parameter
        self._alarms = UncertaintyAlarms({})
        self._means: dict[str, float] = {}

    def levels(self) -> dict[str, AlarmLevels]:
        """Where alarms begin and end now, by uncertainty; nothing for what is not watched.

        The user's level, where there is one, goes before what is normal for the checkpoint.
        """
        if not self._parameter('uncertainty_alarm'):
            return {}
        levels = dict(self._normal)
        for name, watched in _WATCHED.items():
            level = self._parameter(watched.parameter)
            if level > 0 and name in self._known:
                levels[name] = AlarmLevels(level, _CLEAR_SHARE * level)
        return levels

    def needs(self, tasks: Collection[str]) -> set[str]:
        """The uncertainties to compute for frames whose maps of these tasks are subscribed to.

        A head that nobody subscribes to a map of does not run for the alarm's sake.
        """
        return {name for name in self.levels() if _WATCHED[name].task in tasks}

    def update(self, stamp_s: float, prediction: Prediction, tasks: Collection[str]) -> None:
        """Take in a frame.

        Args:
            stamp_s: Its stamp, in seconds; when it arrived, where it has none of its own.
            prediction: The maps as the network gives them; the uncertainties that are not there
                are not watched.
            tasks: Those whose maps are subscribed to; what a batch has for the sake of another
                camera is not watched.
        """
        maps = prediction.maps()
        wanted = self.needs(tasks) & maps.keys()
        levels = {name: level for name, level in self.levels().items() if name in wanted}
        self._alarms.adjust(levels, self._parameter('alarm_hold_s'))
        self._means = {name: _mean(maps[name]) for name in levels}
        self._alarms.update(stamp_s, self._means)

    def reset(self) -> None:
        """Forget the frames up to now: no more come, or nobody wants their maps."""
        self._alarms = UncertaintyAlarms({})
        self._means = {}

    def problems(self) -> list[str]:
        """The alarms there are, with what to do."""
        return [
            f'{_WATCHED[name].words} has stayed above {alarm.levels.raise_above:.3g} '
            f'{_WATCHED[name].unit} (now {self._means.get(name, np.nan):.3g}), which is not '
            'normal for this network: do not rely on the maps; check lens, exposure and light, '
            'and if such images are to be expected, train on them'
            for name, alarm in self._watched().items()
            if alarm.state is AlarmState.ALARM
        ]

    def values(self) -> dict[str, str]:
        """The last means, their levels and states, by what to show them as."""
        values = {}
        means = self._means
        for name, alarm in self._watched().items():
            values[f'{name}_mean'] = f'{means[name]:.4g}' if name in means else ''
            values[f'{name}_alarm_above'] = f'{alarm.levels.raise_above:.4g}'
            values[f'{name}_normal_below'] = f'{alarm.levels.clear_below:.4g}'
            values[f'{name}_state'] = alarm.state.value
        return values

    def _watched(self) -> dict[str, UncertaintyAlarm]:
        """The alarms by uncertainty; none from when the user switches them off."""
        return self._alarms.alarms if self._parameter('uncertainty_alarm') else {}

    def why_not(self) -> str:
        """Why nothing is watched, and what to do; empty where something is."""
        if not self._parameter('uncertainty_alarm'):
            return 'not watched: uncertainty_alarm is false'
        if not self.levels():
            if not self._known:
                return 'not watched: the checkpoint was not trained to know its uncertainty'
            parameters = [_WATCHED[name].parameter for name in self._known]
            return (
                'not watched: the checkpoint does not say what is normal; set '
                f'{" and ".join(parameters)}'
            )
        return ''


def _mean(values: np.ndarray) -> float:
    """The mean of the pixels that the network saw; NaN where it saw none."""
    mean = values.mean(dtype=np.float64)
    if np.isnan(mean) and not np.isnan(values).all():
        mean = np.nanmean(values, dtype=np.float64)
    return float(mean)
