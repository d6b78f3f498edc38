"""Files that appear whole or not at all."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = '.partial-'
"""How the names of unfinished files and folders begin."""


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write a file under, which is given its own name when the block ends.

    It is on the disk then. An error in the block leaves what was at `path`, and nothing else.
    Folders on the way to `path` are made.

    Args:
        path: The file; what is there is replaced.

    Yields:
        A name in the same folder with the same suffix, which nobody else is given.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{_PREFIX}{secrets.token_hex(4)}-{path.name}')
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def workspace_in(folder: Path) -> Iterator[Path]:
    """An empty folder for unfinished work on the disk of `folder`, which is made where needed.

    What is left in it when the block ends is deleted.

    Raises:
        OSError: If it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _flush(path: Path) -> None:
    """Wait until a file is on the disk, so that its new name is never that of an empty one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
