"""Where files go that can be made again: compiled networks, rendered scenes, converted data."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$EMUFORMER_CACHE, or emuformer in the user's cache folder: $XDG_CACHE_HOME or ~/.cache.

    A relative $XDG_CACHE_HOME is ignored, as the XDG base directory specification asks.
    """
    if folder := os.environ.get('EMUFORMER_CACHE'):
        return Path(folder)
    user = Path(os.environ.get('XDG_CACHE_HOME', ''))
    return (user if user.is_absolute() else Path.home() / '.cache') / 'emuformer'
