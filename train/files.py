"""Text and JSON files that appear whole or not at all."""

import json
from pathlib import Path

from emu_model.files import written_aside


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with written_aside(path) as partial:
        partial.write_text(text, encoding='utf-8')


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON, which cannot hold NaN.

    Raises:
        ValueError: If a number is not finite.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + '\n')
