"""Launch files, with a launch system and without."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

_SERVICE = """
import sys, launch, launch.actions, launch.launch_description_sources as sources
service = launch.LaunchService(argv=[])
service.include_launch_description(launch.actions.IncludeLaunchDescription(
    sources.PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[argument.split(':=') for argument in sys.argv[2:]]))
sys.exit(service.run())
"""


def launch_command(file: Path, *arguments: str) -> list[str]:
    """What `ros2 launch` does with a file and arguments like 'image:=/camera/image_raw'."""
    return [sys.executable, '-c', _SERVICE, str(file), *arguments]


def load(file: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A launch file, with stand-ins for what it imports of launch: they note how it is used."""
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith('launch'):
            monkeypatch.setitem(sys.modules, statement.module, MagicMock())
    spec = importlib.util.spec_from_file_location('loaded_launch_file', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
