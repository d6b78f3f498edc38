"""When a network should not be trusted: its uncertainty against what is normal for it.

The node's diagnostics and the evaluation of bags raise the same alarm from the same numbers. It
needs neither ROS nor PyTorch.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo
from emu_model.normal_uncertainty import UNCERTAINTIES
from emuformer_ros.health.stamps import JUMP_S

RAISE_QUANTILE, CLEAR_QUANTILE = '0.99', '0.95'
"""Of the frame means on validation data: one normal frame in a hundred is over the first."""

HOLD_S = 1.0
"""How long an excess has to last before it is an alarm, and its absence before it is over."""


class AlarmState(enum.Enum):
    """What the frames up to now say."""

    NORMAL = 'normal'
    EXCESS = 'excess'
    """Over the level, but not long enough to be an alarm."""
    ALARM = 'alarm'


@dataclass(frozen=True)
class AlarmLevels:
    """Where an alarm begins and ends; the gap keeps it from flickering.

    Attributes:
        raise_above: Frame means above this, or not finite, are an excess.
        clear_below: Frame means at or below this end an alarm.
    """

    raise_above: float
    clear_below: float

    def __post_init__(self) -> None:
        if not self.clear_below <= self.raise_above:
            raise ValueError(
                f'the alarm would end above {self.clear_below} and begin above '
                f'{self.raise_above}: give a clear level at or below the raise level'
            )


def normal_levels(info: CheckpointInfo) -> dict[str, AlarmLevels]:
    """The levels of each uncertainty that the checkpoint knows the normal frame means of.

    They are for the network's own numbers: divide a depth uncertainty that was rescaled to the
    camera's focal length by that scale before comparing.
    """
    levels = {}
    for output in UNCERTAINTIES:
        quantiles = info.normal_uncertainty.get(output, {}).get('frame_mean', {})
        if RAISE_QUANTILE in quantiles and CLEAR_QUANTILE in quantiles:
            levels[output] = AlarmLevels(quantiles[RAISE_QUANTILE], quantiles[CLEAR_QUANTILE])
    return levels


class UncertaintyAlarm:
    """Watches the frame means of one uncertainty.

    An alarm is raised when every frame for `hold_s` was over the raise level, and is over when
    every frame for `hold_s` was at or below the clear level. A stamp that jumps back starts the
    waiting anew, as a recording that loops does; images out of order do not.

    Args:
        levels: Where it begins and ends.
        hold_s: How long either has to last, in seconds of the frames' stamps.

    Attributes:
        excess_since_s: Stamp of the frame that the excess began with that led to the last alarm;
            None before the first alarm.

    Raises:
        ValueError: If `hold_s` is negative.
    """

    def __init__(self, levels: AlarmLevels, hold_s: float = HOLD_S) -> None:
        if hold_s < 0:
            raise ValueError(f'hold_s is {hold_s}: give 0 seconds or more')
        self.levels = levels
        self.hold_s = hold_s
        self.state = AlarmState.NORMAL
        self.excess_since_s: float | None = None
        self._since_s: float | None = None
        self._last_s = -math.inf

    def update(self, stamp_s: float, mean: float) -> AlarmState:
        """Take in a frame.

        Args:
            stamp_s: The frame's stamp, in seconds.
            mean: Mean of the uncertainty over its pixels; NaN counts as an excess.
        """
        if stamp_s < self._last_s - JUMP_S:
            self._since_s = None
        self._last_s = stamp_s
        if self.state is AlarmState.ALARM:
            if self._lasts(stamp_s, mean <= self.levels.clear_below):
                self.state, self._since_s = AlarmState.NORMAL, None
            return self.state
        excess = not mean <= self.levels.raise_above
        if self._lasts(stamp_s, excess):
            self.state, self.excess_since_s = AlarmState.ALARM, self._since_s
            self._since_s = None
        else:
            self.state = AlarmState.EXCESS if excess else AlarmState.NORMAL
        return self.state

    def _lasts(self, stamp_s: float, holds: bool) -> bool:
        """Whether something has held since long enough."""
        if not holds:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = stamp_s
        return stamp_s - self._since_s >= self.hold_s


class UncertaintyAlarms:
    """Watches all uncertainties of a network; the worst state counts.

    When time jumps back, as in a recording that loops, everything starts anew.

    Args:
        levels: By uncertainty, as `normal_levels` gives them.
        hold_s: As for UncertaintyAlarm.
    """

    def __init__(self, levels: Mapping[str, AlarmLevels], hold_s: float = HOLD_S) -> None:
        self.alarms = {name: UncertaintyAlarm(each, hold_s) for name, each in levels.items()}
        self._last_s = -math.inf

    def adjust(self, levels: Mapping[str, AlarmLevels], hold_s: float) -> None:
        """Go on with other levels; what has none any more is not watched any more.

        Args:
            levels: As above.
            hold_s: As above.
        """
        kept = self.alarms
        self.alarms = {
            name: kept.get(name) or UncertaintyAlarm(each, hold_s) for name, each in levels.items()
        }
        for name, alarm in self.alarms.items():
            alarm.levels, alarm.hold_s = levels[name], hold_s

    def update(self, stamp_s: float, means: Mapping[str, float]) -> AlarmState | None:
        """Take in a frame's means by uncertainty; None where no uncertainty has levels."""
        if stamp_s < self._last_s - JUMP_S:
            self.alarms = {
                name: UncertaintyAlarm(alarm.levels, alarm.hold_s)
                for name, alarm in self.alarms.items()
            }
        self._last_s = stamp_s
        states = [
            alarm.update(stamp_s, means[name])
            for name, alarm in self.alarms.items()
            if name in means
        ]
        return max(states, key=list(AlarmState).index, default=None)

    def active(self) -> tuple[str, ...]:
        """The uncertainties that are in alarm."""
        return tuple(
            name for name, alarm in self.alarms.items() if alarm.state is AlarmState.ALARM
        )
