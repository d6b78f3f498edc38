"""The source files of the repository and what they import."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ('emu_model', 'emuformer_ros', 'train')


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]


def imported_modules(path: Path) -> Iterator[str]:
    """The modules that a file imports, or imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def imports(path: Path) -> Iterator[str]:
    """Their top-level names."""
    return (module.partition('.')[0] for module in imported_modules(path))
