"""Running a ROS process until a signal ends it, with code 0 then."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import rclpy
from rclpy.exceptions import NotInitializedException
from rclpy.executors import ExternalShutdownException

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Interruption(BaseException):
    """A signal has asked the process to end.

    After a KeyboardInterrupt, Python may kill the process by SIGINT though it was caught.
    """


class _Signals:
    """Notes the first signal; it raises only where that is asked for.

    An exception that comes just anywhere, in a destructor say, is printed and lost.
    """

    def __init__(self) -> None:
        self.received = False
        self.raises = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        first, self.received = not self.received, True
        if first and self.raises:
            raise Interruption


_SIGNALS = _Signals()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal end what is inside, which takes long and knows nothing of ROS.

    Everything else ends because a signal shuts the ROS context down.

    Raises:
        Interruption: At once if a signal has come already, else when it comes.
    """
    if _SIGNALS.received:
        raise Interruption
    _SIGNALS.raises = True
    try:
        yield
    finally:
        _SIGNALS.raises = False


def run_until_interrupted(run: Callable[[], int], args: list[str] | None) -> int:
    """Run something within a ROS context until it returns or a signal comes.

    Args:
        run: What to run; returns the exit code of the process.
        args: Arguments for rclpy.init; those of the command line by default.

    Returns:
        The exit code: 0 after a signal; 1 where ROS does not start, and stderr says why.
    """
    # Before rclpy.init, whose handlers call these and then shut ROS down.
    for number in _ENDING:
        signal.signal(number, _SIGNALS)
    try:
        try:
            rclpy.init(args=args)
        except RuntimeError as error:  # RCLError
            print(f'ROS 2 does not start: {error}; check the ROS_… variables', file=sys.stderr)
            return 1
        return 0 if _SIGNALS.received else run()
    except (Interruption, ExternalShutdownException):
        return 0
    except (NotInitializedException, RuntimeError):
        # A signal shuts ROS down at once, in the middle of whatever the node was doing with it.
        # ok() is asked first: a signal's handler runs when Python next enters a function.
        if rclpy.ok() or not _SIGNALS.received:
            raise
        return 0
    finally:
        rclpy.try_shutdown()
        # Python gives signals their default effect back, to kill, before the process has ended.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
