import os
from pathlib import Path

import pytest

from emu_model.processor import core_count, processor_name


@pytest.mark.skipif(not Path('/proc/cpuinfo').exists(), reason='Linux alone has it')
def test_the_name_of_the_processor_is_in_what_the_system_says_of_it():
    assert f': {processor_name()}\n' in Path('/proc/cpuinfo').read_text()


def test_the_architecture_is_said_where_the_system_has_no_name(monkeypatch):
    monkeypatch.setattr(Path, 'read_text', lambda path: 'processor\t: 0\n')
    assert os.uname().machine in processor_name()


def test_the_cores_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert core_count() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert core_count() == len(allowed)
