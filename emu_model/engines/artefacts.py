"""What is slow to make, such as compiled graphs, kept between runs.

An artefact appears whole or not at all, carries its checksum, and is made again when it does not
match. So neither an interrupted process nor two at once leave anything that is read as good.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from emu_model.cache import cache_folder
from emu_model.files import written_aside

T = TypeVar('T')

_MAGIC = b'emuformer-artefact-1\n'
_LOGGER = logging.getLogger(__name__)


def file_digest(*paths: str | os.PathLike) -> str:
    """SHA-256 of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def cached(
    key: Mapping[str, object],
    build: Callable[[], bytes],
    load: Callable[[bytes], T],
) -> T:
    """An artefact from the cache; made and kept where it is not there or cannot be used.

    A cache folder that cannot be written costs time at each start and nothing else.

    Args:
        key: Everything the artefact depends on; JSON values.
        build: Makes the artefact's bytes.
        load: Makes the usable form of the bytes; may raise RuntimeError or ValueError for bytes
            of another version.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    path = cache_folder() / name
    payload = _read(path)
    if payload is not None:
        try:
            return load(payload)
        except (RuntimeError, ValueError) as error:
            _LOGGER.warning('%s is made again: it could not be loaded (%s)', path, error)
    payload = build()
    _write(path, payload)
    return load(payload)


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + hashlib.sha256().digest_size
    payload = content[start:]
    if content[:start] != _MAGIC + hashlib.sha256(payload).digest():
        _LOGGER.warning('%s is damaged or of another version: it is made again', path)
        return None
    return payload


def _write(path: Path, payload: bytes) -> None:
    try:
        with written_aside(path) as partial, partial.open('wb') as file:
            file.write(_MAGIC + hashlib.sha256(payload).digest())
            file.write(payload)
    except OSError as error:
        _LOGGER.warning('nothing is kept for the next start: %s', error)
