"""Files that appear whole or not at all."""

import json
import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    partial.write_text(text, encoding='utf-8')
    os.replace(partial, path)


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON, which cannot hold NaN.

    Raises:
        ValueError: If a number is not finite.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + '\n')
