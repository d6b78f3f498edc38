"""Recordings of real cameras, which are no part of the repository (CONTRIBUTING.md)."""

import os
from pathlib import Path

import pytest

_VARIABLE = 'EMUFORMER_TEST_DATA'


def real_data(name: str) -> Path:
    """The folder of a recording; without it, the test that asks is skipped."""
    beside_the_checkout = Path(__file__).parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get(_VARIABLE, beside_the_checkout)) / name
    if not folder.is_dir():
        pytest.skip(f"no folder '{folder}': {_VARIABLE} names the one it is in (CONTRIBUTING.md)")
    return folder
