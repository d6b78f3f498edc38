"""Shared memory that killed processes have left behind.

Fast DDS makes a segment for each process and removes it when the process ends. That of a killed
one stays: 33 MB with the packaged profile, so that in the 64 MB that a container has the node that
is started again has no room for its own.
"""

import contextlib
import fcntl
import re
import time
from pathlib import Path

_FOLDER = Path('/dev/shm')
_LOCK = re.compile(r'(fastrtps|fastdds)_[0-9a-f]{16}_el')
_YOUNG_S = 1.0
"""A file this young may be one that its owner has not locked yet."""


def remove_dead_segments(folder: Path = _FOLDER) -> None:
    """Remove Fast DDS's segments whose owners have ended, as its `fastdds shm clean` does.

    Who lives holds the lock of its segment. What belongs to other users is left alone.
    """
    for lock in folder.glob('*_el'):
        if _LOCK.fullmatch(lock.name):
            with contextlib.suppress(OSError):  # its owner lives, or is another user
                _remove_if_dead(lock)


def _remove_if_dead(lock: Path) -> None:
    with lock.open('rb') as file:
        if time.time() - lock.stat().st_mtime > _YOUNG_S:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix('_el')).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
