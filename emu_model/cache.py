"""Where files go that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder for this project: $XDG_CACHE_HOME/emuformer or ~/.cache/emuformer.

    A relative $XDG_CACHE_HOME is ignored, as the XDG base directory specification asks.
    """
    base = Path(os.environ.get('XDG_CACHE_HOME', ''))
    return (base if base.is_absolute() else Path.home() / '.cache') / 'emuformer'
