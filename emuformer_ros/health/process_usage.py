"""What a process uses of the machine, as Linux counts it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessUsage:
    """A process at one moment.

    Attributes:
        cpu_s: CPU time since it started, of all its threads.
        memory_mb: Resident memory in MiB, shared memory included.
        peak_memory_mb: The most that `memory_mb` ever was.
        threads: How many threads it has.
    """

    cpu_s: float
    memory_mb: float
    peak_memory_mb: float
    threads: int


def process_usage(pid: int | str = 'self') -> ProcessUsage | None:
    """What a process uses now; None where there is no such process or no /proc."""
    folder = Path('/proc', str(pid))
    try:
        lines = (folder / 'status').read_text().splitlines()
        # The second field, the program's name, may have spaces and brackets in it.
        ticks = (folder / 'stat').read_text().rpartition(')')[2].split()[11:13]
    except OSError:
        return None
    status = dict(line.split(':', 1) for line in lines)
    if 'VmRSS' not in status:  # it has ended, and its parent has not asked how
        return None
    return ProcessUsage(
        cpu_s=sum(map(int, ticks)) / os.sysconf('SC_CLK_TCK'),
        memory_mb=_kilobytes(status['VmRSS']) / 1024,
        peak_memory_mb=_kilobytes(status['VmHWM']) / 1024,
        threads=int(status['Threads']),
    )


def gpu_memory_mb(device: str) -> float | None:
    """Memory of a GPU that is in use, by whatever process, in MiB.

    Args:
        device: Of an engine, such as 'cuda:0'.

    Returns:
        None for a device that is no GPU, or where PyTorch, which is asked, does not run.
    """
    torch = sys.modules.get('torch')
    if torch is None or not device.startswith('cuda'):
        return None
    try:
        free, total = torch.cuda.mem_get_info(device)
    except RuntimeError:  # a GPU that has failed answers nothing any more
        return None
    return (total - free) / 2**20


def _kilobytes(field: str) -> int:
    return int(field.split()[0])
