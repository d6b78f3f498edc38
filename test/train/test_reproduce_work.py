"""Tasks of a plan, done one or several at a time."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from train.reproduce.layout import Layout
from train.reproduce.plan import Plan, Run
from train.reproduce.progress import Progress, label
from train.reproduce.work import Work, work_off


def run(name, *needs):
    return Run(name, 'fit', (), (), {f'model.{need}': need for need in needs}, cost=1.0)


PLAN = Plan(
    {
        each.name: each
        for each in (run('base'), run('left', 'base'), run('right', 'base'), run('last', 'left'))
    },
    (),
)
TASKS = list(PLAN.runs.values())

IN_PROCESSES = pytest.param(2, marks=pytest.mark.slow)
"""Starting processes takes a quarter of a minute; one quick test does it too."""


@dataclass(frozen=True)
class Rehearsal(Work):
    """Tasks that check that what they need is there, and leave their network.

    Attributes:
        meet: Names of tasks that finish only when all of them have begun.
        trouble: {name: what becomes of that task}.
    """

    meet: tuple[str, ...] = ()
    trouble: tuple[tuple[str, str], ...] = ()

    def _do(self, task):
        print(f'doing {task.name}')
        folder = self.layout.run(task.name)
        folder.mkdir(parents=True)
        for need in task.starts_from.values():
            assert self.layout.network(need).is_file(), f'{task.name} began before {need} ended'
        trouble = dict(self.trouble).get(task.name)
        if trouble == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble == 'interrupted':
            raise KeyboardInterrupt
        if trouble:
            return int(trouble)
        if task.name in self.meet:
            self._wait_for_others()
        self.layout.network(task.name).touch()
        return 0

    def _wait_for_others(self):
        patience = threading.Event()
        for _ in range(600):
            if all(self.layout.run(name).is_dir() for name in self.meet):
                return
            patience.wait(0.1)
        raise AssertionError(f'{self.meet} never ran side by side')


def rehearse(root: Path, jobs: int, tasks=TASKS, **options):
    layout = Layout(root)
    work = Rehearsal(layout, None, 'cpu', (), logged=jobs > 1, **options)
    return work_off(PLAN, Progress(layout, tasks), work, jobs), layout


@pytest.mark.parametrize('jobs', [1, IN_PROCESSES])
def test_every_task_comes_after_what_it_needs(tmp_path, jobs):
    # The order of the list is not the order of need.
    code, layout = rehearse(tmp_path, jobs, TASKS[::-1])
    assert code == 0
    assert all(layout.network(task.name).is_file() for task in TASKS)


@pytest.mark.slow
def test_several_tasks_run_side_by_side_and_log_apart(tmp_path):
    code, layout = rehearse(tmp_path, 2, meet=('left', 'right'))
    assert code == 0
    for task in TASKS:
        assert layout.log(label(task)).read_text() == f'doing {task.name}\n'


@pytest.mark.parametrize('jobs', [1, IN_PROCESSES])
def test_after_a_failure_nothing_more_is_begun(tmp_path, jobs):
    code, layout = rehearse(tmp_path, jobs, trouble=(('left', '3'),))
    assert code == 3
    assert not layout.run('last').exists()


@pytest.mark.parametrize('jobs', [1, IN_PROCESSES])
def test_an_interrupt_reaches_the_caller_and_its_time_is_kept(tmp_path, jobs):
    with pytest.raises(KeyboardInterrupt):
        rehearse(tmp_path, jobs, trouble=(('left', 'interrupted'),))
    left = PLAN.runs['left']
    assert Progress(Layout(tmp_path), TASKS).seconds(left) is not None
    assert not Layout(tmp_path).network('left').exists()


def test_what_is_done_is_not_done_again(tmp_path):
    rehearse(tmp_path, 1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('network.safetensors')}
    assert rehearse(tmp_path, 1)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_process_that_was_killed_is_told(tmp_path):
    with pytest.raises(RuntimeError, match='fewer --jobs'):
        rehearse(tmp_path, 2, trouble=(('base', 'killed'),))


ENDLESS = """
import pathlib, sys, time
import test_reproduce_work

class Endless(test_reproduce_work.Rehearsal):
    def _do(self, task):
        self.layout.run(task.name).mkdir(parents=True)
        time.sleep(3600)

if __name__ == '__main__':
    test_reproduce_work.Rehearsal = Endless
    test_reproduce_work.rehearse(pathlib.Path(sys.argv[1]), 2)
"""


@pytest.mark.slow
@pytest.mark.parametrize('how', [signal.SIGTERM, signal.SIGKILL])
def test_no_task_outlives_the_command_however_it_ends(tmp_path, how):
    (tmp_path / 'endless.py').write_text(ENDLESS)
    reading, writing = os.pipe()
    command = subprocess.Popen(
        [sys.executable, tmp_path / 'endless.py', tmp_path],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        pass_fds=[writing],
        stdout=writing,
    )
    os.close(writing)
    with open(reading) as output:
        assert 'train base' in output.readline()
        patience = threading.Event()
        while not Layout(tmp_path).run('base').is_dir():
            assert command.poll() is None
            patience.wait(0.1)
        command.send_signal(how)
        assert command.wait(60) == -how
        # The pipe ends when the last process that writes to it has.
        rest = threading.Thread(target=output.read, daemon=True)
        rest.start()
        rest.join(60)
        assert not rest.is_alive()
