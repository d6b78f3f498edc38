"""What the stamps of a camera's images say: nothing, ahead, too old, or time jumped back."""

from dataclasses import dataclass

FUTURE_TOLERANCE_S = 0.5
"""How far a stamp may be ahead of the clock: beyond what synchronised clocks differ by, and the
steps of a simulated one."""

JUMP_S = 1.0
"""Stamps that go back by less are images out of order, not time that jumped."""

STILL_S = 1.0
"""A stamp that images go on to have for longer is no image's time."""


@dataclass(frozen=True)
class StampCheck:
    """What an image's stamp says.

    Attributes:
        age_s: The clock's time less the stamp, in seconds; negative if the stamp is ahead.
        jump_back_s: How far before the image before it was stamped; 0 unless time jumped back.
        is_unset: Whether it has none of its own: 0, long after the time 0 at which a simulation
            begins, or one that stands still while the clock goes on.
    """

    age_s: float
    jump_back_s: float = 0.0
    is_unset: bool = False

    @property
    def ahead_s(self) -> float:
        """How far the stamp is in the future; 0 within the tolerance."""
        return -self.age_s if self.age_s < -FUTURE_TOLERANCE_S else 0.0

    def is_older_than(self, max_age_s: float) -> bool:
        """Whether the image is too old; never with a limit of 0."""
        return 0.0 < max_age_s < self.age_s


class StampMonitor:
    """Compares the stamps of one camera's images with the clock and with each other."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._last_since_s = 0.0

    def check(self, stamp_s: float, now_s: float) -> StampCheck:
        """Take in an image.

        Args:
            stamp_s: Its stamp, in seconds.
            now_s: The node's time when it arrived: ROS time, simulated or not.
        """
        if stamp_s == 0.0 and now_s > JUMP_S:
            return StampCheck(now_s, is_unset=True)
        if stamp_s == self._last_s and now_s - self._last_since_s > STILL_S:
            return StampCheck(now_s - stamp_s, is_unset=True)
        back_s = 0.0 if self._last_s is None else self._last_s - stamp_s
        if stamp_s != self._last_s:
            self._last_s, self._last_since_s = stamp_s, now_s
        return StampCheck(now_s - stamp_s, back_s if back_s > JUMP_S else 0.0)


def stamp_s(header) -> float:
    """The stamp of a std_msgs/Header, in seconds."""
    return header.stamp.sec + 1e-9 * header.stamp.nanosec
