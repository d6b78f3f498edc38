"""The processor that figures were measured on."""

import os
import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model, such as 'AMD EPYC'; its architecture where the system has no name."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))
