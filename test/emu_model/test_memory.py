import resource
import subprocess
import sys

import pytest

from emu_model.memory import keep_freed_memory

_PAGE_BYTES = resource.getpagesize()
_BLOCK_BYTES = 20 << 20


def page_faults(prepare: str) -> int:
    """Of a process that uses two large blocks again and again, after it has done so once."""
    script = f"""
import resource
from emu_model.memory import keep_freed_memory

def use():
    blocks = [bytearray(b'x') * {_BLOCK_BYTES} for _ in range(2)]

{prepare}
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    command = [sys.executable, '-c', script]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_freed_blocks_are_used_again_without_the_kernel():
    if page_faults('') < 10 * _BLOCK_BYTES / _PAGE_BYTES:
        pytest.skip('this C library keeps what is freed, or the pages are large')

    assert page_faults('assert keep_freed_memory()') < _BLOCK_BYTES / _PAGE_BYTES


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr('ctypes.CDLL', lambda name: object())

    assert not keep_freed_memory()
