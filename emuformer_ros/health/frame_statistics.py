"""What happened to the frames: counts since the start, rate and latency of the last seconds."""

import collections
import threading
import time
from dataclasses import dataclass

import numpy as np

LATENCY_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class FrameReport:
    """A snapshot of FrameStatistics.

    Attributes:
        received: Images that arrived.
        processed: Images whose maps were published.
        skipped: Images left alone because nobody subscribed to a map.
        refused: Images that could not be used.
        failed: Images on which the engine failed.
        expired: Images dropped because they were older than the limit when they arrived.
        ahead: Images stamped in the future; they are processed all the same.
        unstamped: Images without a stamp of their own; they are processed all the same.
        time_jumps: How often the stamps went back, as those of a recording that loops do.
        last_refusal: Why the last image was refused.
        last_failure: Why the engine failed the last time.
        last_age_s: Seconds from the last image's stamp to its arrival; negative if it was stamped
            in the future, None when no image arrived or it has no stamp of its own.
        rate_hz: Images processed per second, lately.
        latency_ms: 50th, 95th and 99th percentile, lately, of the time in milliseconds from an
            image's arrival to the publication of its last map; None when none was processed.
        silent_s: Seconds since an image arrived; infinite when none ever did.
        interval_s: Seconds between the last two images that arrived; 0 before there were two.
    """

    received: int
    processed: int
    skipped: int
    refused: int
    failed: int
    expired: int
    ahead: int
    unstamped: int
    time_jumps: int
    last_refusal: str
    last_failure: str
    last_age_s: float | None
    rate_hz: float
    latency_ms: tuple[float, float, float] | None
    silent_s: float
    interval_s: float


class FrameStatistics:
    """Counts frames; the executor and the worker thread share it.

    Args:
        window_s: How far back rate and latency look, in seconds.
    """

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._received = self._processed = 0
        self._skipped = self._refused = self._failed = 0
        self._expired = self._ahead = self._unstamped = self._time_jumps = 0
        self._last_refusal = self._last_failure = ''
        self._last_age_s: float | None = None
        self._last_arrival = -np.inf
        self._interval_s = 0.0
        self._recent: collections.deque[tuple[float, float]] = collections.deque()

    def receive(self, age_s: float | None = None) -> None:
        """Count an image that arrived, so many seconds after its stamp."""
        with self._lock:
            now = time.monotonic()
            self._interval_s = now - self._last_arrival if self._received else 0.0
            self._received += 1
            self._last_age_s = age_s
            self._last_arrival = now

    def expire(self) -> None:
        """Count an image that was too old when it arrived."""
        with self._lock:
            self._expired += 1

    def get_ahead(self) -> None:
        """Count an image that is stamped in the future."""
        with self._lock:
            self._ahead += 1

    def lack_stamp(self) -> None:
        """Count an image that is processed though it has no stamp of its own."""
        with self._lock:
            self._unstamped += 1

    def restart(self) -> None:
        """Measure rate and latency anew, because time jumped back; the counts go on."""
        with self._lock:
            self._time_jumps += 1
            self._recent.clear()

    def process(self, latency_s: float) -> None:
        """Count an image whose maps have been published."""
        with self._lock:
            self._processed += 1
            self._recent.append((time.monotonic(), latency_s))
            self._forget()

    def skip(self) -> None:
        """Count an image that nobody wanted a map of."""
        with self._lock:
            self._skipped += 1

    def refuse(self, reason: str) -> int:
        """Count an image that could not be used; returns how many there were."""
        with self._lock:
            self._refused += 1
            self._last_refusal = reason
            return self._refused

    def fail(self, reason: str) -> int:
        """Count an image on which the engine failed; returns how many there were."""
        with self._lock:
            self._failed += 1
            self._last_failure = reason
            return self._failed

    def report(self) -> FrameReport:
        """The counts, rate and latency now."""
        with self._lock:
            self._forget()
            latencies = [1e3 * latency for _, latency in self._recent]
            return FrameReport(
                received=self._received,
                processed=self._processed,
                skipped=self._skipped,
                refused=self._refused,
                failed=self._failed,
                expired=self._expired,
                ahead=self._ahead,
                unstamped=self._unstamped,
                time_jumps=self._time_jumps,
                last_refusal=self._last_refusal,
                last_failure=self._last_failure,
                last_age_s=self._last_age_s,
                rate_hz=len(latencies) / self._window_s,
                latency_ms=_percentiles(latencies) if latencies else None,
                silent_s=time.monotonic() - self._last_arrival,
                interval_s=self._interval_s,
            )

    def _forget(self) -> None:
        oldest = time.monotonic() - self._window_s
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()


def _percentiles(values: list[float]) -> tuple[float, ...]:
    return tuple(map(float, np.percentile(values, LATENCY_PERCENTILES)))
