"""Messages of the log that would come with every frame."""

from typing import Any

from rclpy.clock import Clock, ClockType

# Not the system's, which rclpy takes by default: set back, it would keep them back for as long.
_CLOCK = Clock(clock_type=ClockType.STEADY_TIME)


def at_most_every(seconds: float) -> dict[str, Any]:
    """What to give a logger's methods, so that a place in the code logs only so often."""
    return {'throttle_duration_sec': seconds, 'throttle_time_source_type': _CLOCK}
