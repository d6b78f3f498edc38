"""Whether the engine can still be used: it may fail on a frame, but not on one after the other."""

from collections.abc import Callable

HANG_S = 5.0
"""Seconds at the same images after which an engine that is warm may be taken to hang."""

_SLOWER = 5.0
"""By how much an engine that takes longer than that may be slower than the last time."""


class EngineHealth:
    """Counts the failures in a row of what all cameras share.

    The worker thread reports to it and the executor reads from it.

    Args:
        on_failure: Called, in the worker thread, after every failure.

    Attributes:
        failures: How many images the engine has failed on since the last that it did not.
        last_failure: Why it failed the last time.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self.failures = 0
        self.last_failure = ''
        self._on_failure = on_failure

    def succeed(self) -> None:
        """Note that the engine has run."""
        self.failures = 0

    def fail(self, reason: str) -> None:
        """Note that the engine has failed on an image."""
        self.last_failure = reason
        self.failures += 1
        self._on_failure()

    def problem(self, max_failures: int) -> str:
        """Why the engine cannot go on, and what to do; empty while it can.

        Args:
            max_failures: Failures in a row at which it cannot; 0 for never.
        """
        if not 0 < max_failures <= self.failures:
            return ''
        return (
            f'the engine failed on {self.failures} images in a row, the last time with '
            f"'{self.last_failure}': configure and activate the node again, or restart it; where "
            'memory ran out, give it a smaller network_height and network_width or a smaller '
            'checkpoint'
        )


def hang_limit_s(last_s: float) -> float:
    """Seconds at the same images after which the engine may be taken to hang.

    Args:
        last_s: How long the images before took; 0 where there were none.
    """
    return max(HANG_S, _SLOWER * last_s)


def hang(busy_s: float, last_s: float) -> str:
    """What to do about an engine that does not answer; empty while it may.

    Args:
        busy_s: How long it has been at the same images.
        last_s: As for `hang_limit_s`.
    """
    if busy_s <= hang_limit_s(last_s):
        return ''
    return (
        f'the node has been at the same images for {busy_s:.0f} s: if the engine does not come '
        'back, end the process and start it again (it cannot be deactivated until the engine '
        "answers); if it is only slow, give it smaller images, output_size 'network', a smaller "
        'network_height and network_width or a smaller checkpoint'
    )
