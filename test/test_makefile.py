"""What make does about an environment that an interruption has left unfinished."""

import os
import shutil
import subprocess
import sys

import pytest
from source_files import ROOT

MAKE = shutil.which('make')


@pytest.fixture
def make(tmp_path):
    """Runs make in a folder with a Makefile alone, without a package index."""
    if MAKE is None or not (ROOT / 'Makefile').exists():
        pytest.skip('needs make and the checkout')
    shutil.copy2(ROOT / 'Makefile', tmp_path)
    for name in ('setup.py', 'constraints.txt'):
        (tmp_path / name).touch()

    def run(target, **variables):
        return subprocess.run(
            [MAKE, target],
            cwd=tmp_path,
            # Not what the make that runs the tests was told.
            env={**os.environ, 'MAKEFLAGS': '', 'PIP_NO_INDEX': '1', **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_an_environment_without_pip_is_made_anew(make, tmp_path):
    subprocess.run(
        [sys.executable, '-m', 'venv', '--without-pip', tmp_path / '.venv'], check=True, timeout=60
    )
    unchecked = make('check-python', PYTHON='no_such_python')
    assert unchecked.returncode != 0
    assert 'no_such_python does not run' in unchecked.stderr

    made = make('.venv/.ready', PYTHON=sys.executable)
    assert 'creating .venv' in made.stdout
    pip = [tmp_path / '.venv' / 'bin' / 'python', '-m', 'pip', '--version']
    subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, timeout=60)

    again = make('.venv/.ready', PYTHON=sys.executable)
    assert 'creating .venv' not in again.stdout
    assert make('check-python', PYTHON='no_such_python').returncode == 0
