"""Interruptions, full disks and spreading: what is done is kept, and the results are the same."""

import resource
import shutil
import signal
import subprocess
import sys

import pytest
from evaluated import (
    evaluate,
    interrupt_after,
    metrics_without_times,
    rows_without_times,
    samples,
)
from recordings import write_ros2

from emuformer_ros.bag_evaluation import plan
from emuformer_ros.bag_evaluation.part_store import FOLDER, PartStore
from emuformer_ros.bags.reading import Bag
from emuformer_ros.evaluate_bag import FAILED, INTERRUPTED, OK

FRAMES = 7
PART = 2


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, 'PART_FRAMES', PART)


@pytest.fixture(scope='module')
def arguments(checkpoints):
    path = checkpoints['SegDepthFormer']
    return ('--checkpoint', path, '--engine', 'torch', '--device', 'cpu')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_ros2(tmp_path_factory.mktemp('bags') / 'bag', samples(FRAMES))


@pytest.fixture(scope='module')
def whole(bag, arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp('whole')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, 'PART_FRAMES', PART)
        assert evaluate(bag, '--output', output, *arguments) == OK
    return output


def assert_same_results(output, other):
    assert rows_without_times(output) == rows_without_times(other)
    assert metrics_without_times(output) == metrics_without_times(other)
    assert (output / 'maps.mcap').read_bytes() == (other / 'maps.mcap').read_bytes()
    assert not (output / FOLDER).exists()


def test_an_interruption_keeps_what_is_done_and_resume_goes_on(
    bag, arguments, whole, tmp_path, capsys, monkeypatch
):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2, KeyboardInterrupt())
        assert evaluate(bag, '--output', tmp_path, *arguments) == INTERRUPTED
    assert '--resume goes on' in capsys.readouterr().out
    assert not (tmp_path / 'metrics.json').exists()
    assert not (tmp_path / 'report.html').exists()
    done = []
    load = PartStore.is_done
    monkeypatch.setattr(PartStore, 'is_done', lambda s, n: done.append(load(s, n)) or done[-1])
    assert evaluate(bag, '--output', tmp_path, '--resume', *arguments) == OK
    assert done == [True, True, False, False]
    assert_same_results(tmp_path, whole)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_done(bag, arguments, whole, tmp_path, capfd):
    command = [sys.executable, '-c', _WITH_A_SMALL_DISK, bag, '--output', tmp_path, *arguments]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == FAILED, done.stderr
    assert 'File too large' in done.stdout
    assert '--resume goes on' in done.stdout
    assert 'Traceback' not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
    kept = sorted(path.name for path in (tmp_path / FOLDER).glob('part_*'))
    assert kept == [f'part_00000{n}.{kind}' for n in (0, 1) for kind in ('json', 'mcap', 'npz')]
    assert not list((tmp_path / FOLDER).glob('.partial*'))
    assert evaluate(bag, '--output', tmp_path, '--resume', *arguments) == OK
    assert_same_results(tmp_path, whole)


_WITH_A_SMALL_DISK = f"""
import resource, signal, sys
from emuformer_ros import evaluate_bag
from emuformer_ros.bag_evaluation import plan
from emuformer_ros.bag_evaluation.part_store import PartStore

plan.PART_FRAMES = {PART}
save = PartStore.save

def save_and_fill_the_disk(store, part, measured):
    save(store, part, measured)
    if part == 1:
        # No file may grow beyond a kilobyte from now on, as on a disk that is full.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))

PartStore.save = save_and_fill_the_disk
sys.exit(evaluate_bag.main(sys.argv[1:]))
"""


def test_a_signal_ends_it_at_once_and_resume_goes_on(bag, arguments, whole, tmp_path):
    command = [sys.executable, '-c', _STOPPING_ITSELF, bag, '--output', tmp_path, *arguments]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == INTERRUPTED, done.stderr
    assert 'Traceback' not in done.stderr
    assert evaluate(bag, '--output', tmp_path, '--resume', *arguments) == OK
    assert_same_results(tmp_path, whole)


_STOPPING_ITSELF = f"""
import os, signal, sys
from emuformer_ros import evaluate_bag
from emuformer_ros.bag_evaluation import plan
from emuformer_ros.bag_evaluation.part_store import PartStore

plan.PART_FRAMES = {PART}
save = PartStore.save

def save_and_stop(store, part, measured):
    save(store, part, measured)
    os.kill(os.getpid(), signal.{signal.SIGINT.name})

PartStore.save = save_and_stop
sys.exit(evaluate_bag.main(sys.argv[1:]))
"""


def test_resume_goes_on_with_results_in_the_folder_of_the_recording(
    arguments, whole, tmp_path, monkeypatch
):
    bag = write_ros2(tmp_path / 'bag', samples(FRAMES))
    output = bag / 'evaluation'
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2, KeyboardInterrupt())
        assert evaluate(bag, '--output', output, *arguments) == INTERRUPTED
    assert evaluate(bag, '--output', output, '--resume', *arguments) == OK
    assert rows_without_times(output) == rows_without_times(whole)


def test_resume_with_another_recording_at_the_same_path_is_refused(
    arguments, tmp_path, capsys, monkeypatch
):
    bag = write_ros2(tmp_path / 'bag', samples(FRAMES))
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2, KeyboardInterrupt())
        assert evaluate(bag, '--output', tmp_path / 'out', *arguments) == INTERRUPTED
    shutil.rmtree(bag)
    write_ros2(bag, samples(FRAMES + 1))
    assert evaluate(bag, '--output', tmp_path / 'out', '--resume', *arguments) == FAILED
    assert 'begun with other bags' in capsys.readouterr().out


def test_resume_with_other_options_is_refused(bag, arguments, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1, KeyboardInterrupt())
        assert evaluate(bag, '--output', tmp_path, *arguments) == INTERRUPTED
    assert evaluate(bag, '--output', tmp_path, *arguments) == FAILED
    assert 'was interrupted: go on with --resume' in capsys.readouterr().out
    assert evaluate(bag, '--output', tmp_path, '--resume', '--every', 2, *arguments) == FAILED
    assert 'begun with other every' in capsys.readouterr().out
    assert evaluate(bag, '--output', tmp_path, '--overwrite', '--every', 2, *arguments) == OK
    assert len(rows_without_times(tmp_path)) == 4


def test_results_are_not_replaced_unasked_nor_lost_by_a_failure(
    bag, arguments, whole, tmp_path, capsys, monkeypatch
):
    assert evaluate(bag, '--output', tmp_path, *arguments) == OK
    for option in ((), ('--resume',)):
        assert evaluate(bag, '--output', tmp_path, *option, *arguments) == FAILED
        assert 'has the results of a finished evaluation' in capsys.readouterr().out
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1, OSError('No space left on device'))
        assert evaluate(bag, '--output', tmp_path, '--overwrite', *arguments) == FAILED
    assert rows_without_times(tmp_path) == rows_without_times(whole)


@pytest.mark.slow
def test_ray_gives_the_numbers_of_one_process(bag, arguments, whole, tmp_path):
    pytest.importorskip('ray')
    # One for each of the four parts, where there are as many cores.
    options = ('--ray', '--ray-workers', 4)
    assert evaluate(bag, '--output', tmp_path, *options, *arguments) == OK
    # The engines share the cores: with fewer threads each, floats add up in another order.
    assert_close(rows_without_times(tmp_path), rows_without_times(whole))
    assert_close(metrics_without_times(tmp_path), metrics_without_times(whole))
    with Bag(tmp_path / 'maps.mcap') as maps, Bag(whole / 'maps.mcap') as expected:
        assert maps.topics == expected.topics
        assert [m.time_ns for m in maps.messages()] == [m.time_ns for m in expected.messages()]


def assert_close(found, expected):
    """The same keys and texts, and numbers but for rounding, which may tip single pixels."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_close(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for item, value in zip(found, expected):
            assert_close(item, value)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=2e-3)
    else:
        assert found == expected


def test_ray_that_is_not_installed_is_named(bag, arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    assert evaluate(bag, '--output', tmp_path, '--ray', *arguments) == FAILED
    assert 'install the extra emuformer_ros[ray]' in capsys.readouterr().out


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(arguments, tmp_path):
    short = write_ros2(tmp_path / 'short', samples(60, truth=False))
    long = write_ros2(tmp_path / 'long', samples(600, truth=False))
    peaks = []
    for bag in (short, long):
        command = [sys.executable, '-c', _PEAK, bag, '--output', tmp_path / f'{bag.name}_out']
        done = subprocess.run(
            [str(part) for part in (*command, *arguments)], capture_output=True, text=True
        )
        peaks.append(int(done.stdout.splitlines()[-1]) * 1024)
    # 540 more frames of 9 kB images and 60 kB maps would be 37 MB if they were kept.
    assert peaks[1] - peaks[0] < 15e6


_PEAK = f"""
import sys, resource
from emuformer_ros import evaluate_bag
evaluate_bag.main(sys.argv[1:])
print(resource.getrusage(resource.{'RUSAGE_SELF'}).ru_maxrss)
"""
assert resource.RUSAGE_SELF == 0
