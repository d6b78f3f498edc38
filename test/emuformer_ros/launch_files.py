"""Launch files without a launch system."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest


def load(file: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A launch file, with stand-ins for what it imports of launch: they note how it is used."""
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith('launch'):
            monkeypatch.setitem(sys.modules, statement.module, MagicMock())
    spec = importlib.util.spec_from_file_location('loaded_launch_file', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
