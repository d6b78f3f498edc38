import mmap
import os
import resource
import subprocess
import sys
import threading

import pytest

from emuformer_ros.health.process_usage import gpu_memory_mb, process_usage


def test_memory_and_its_peak_follow_an_allocation():
    before = process_usage()
    # Straight from the system: the allocator could give what it has kept.
    with mmap.mmap(-1, 64 * 2**20) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        during = process_usage()
    after = process_usage()

    assert during.memory_mb - before.memory_mb == pytest.approx(64, abs=8)
    assert after.memory_mb - before.memory_mb == pytest.approx(0, abs=8)
    assert after.peak_memory_mb >= during.memory_mb - 1


def test_cpu_time_is_that_of_the_process():
    usage = resource.getrusage(resource.RUSAGE_SELF)

    # Linux counts in hundredths here.
    assert process_usage().cpu_s == pytest.approx(usage.ru_utime + usage.ru_stime, abs=0.1)


def test_threads_are_counted():
    before = process_usage().threads
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    during = process_usage().threads
    end.set()
    thread.join()

    assert during == before + 1


def test_a_process_that_has_ended_has_no_usage():
    command = [sys.executable, '-c', 'input()']
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process_usage(process.pid).threads == 1

        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_usage(process.pid) is None, 'while its exit code waits'
        process.wait()
        assert process_usage(process.pid) is None


def test_a_cpu_has_no_gpu_memory():
    assert gpu_memory_mb('cpu') is None
