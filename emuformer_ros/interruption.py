"""Running a ROS process until it is interrupted, and ending it with code 0 then."""

import signal
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException

_ENDING = (signal.SIGINT, signal.SIGTERM)


def run_until_interrupted(run: Callable[[], int], args: list[str] | None) -> int:
    """Run something within a ROS context until it returns or a signal comes.

    Args:
        run: What to run; returns the exit code of the process.
        args: Arguments for rclpy.init; those of the command line by default.

    Returns:
        The exit code: 0 after a signal.
    """
    try:
        return _run(run, args)
    except KeyboardInterrupt:
        # A signal shuts ROS down before Python hears of it: the interrupt can come while the
        # error of that shutdown is already being handled.
        return 0


def _run(run: Callable[[], int], args: list[str] | None) -> int:
    # Before rclpy.init, whose handlers call these: neither signal waits until a model is loaded.
    interrupt = _InterruptOnce()
    for number in _ENDING:
        signal.signal(number, interrupt)
    try:
        rclpy.init(args=args)
        return run()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except RuntimeError:  # RCLError
        # A signal shuts ROS down at once, in the middle of whatever the node was doing with it.
        if rclpy.ok():
            raise
        return 0
    finally:
        rclpy.try_shutdown()
        # Python gives signals their default effect back, to kill, before the process has ended.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)


class _InterruptOnce:
    """Interrupts the main thread at the first signal; a second must not interrupt how it ends."""

    def __init__(self) -> None:
        self._interrupted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt
