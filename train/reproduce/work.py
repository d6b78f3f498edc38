"""Doing a plan's tasks, several at a time if wanted, each after what it needs."""

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from emu_model.memory import keep_freed_memory
from emu_model.processor import core_count
from train.child_processes import end_with_parent
from train.reproduce.evaluations import evaluate_model
from train.reproduce.layout import Layout
from train.reproduce.plan import Plan, Run, Task
from train.reproduce.progress import Progress, duration, label
from train.reproduce.settings import Settings
from train.reproduce.training import train


@dataclass(frozen=True)
class Work:
    """How the tasks of an experiment are done.

    Attributes:
        layout: The experiment's folder.
        settings: Of the experiment.
        device: Of evaluation.
        further: Command line that is added to every training run.
        logged: Whether what a task prints goes to a file of its own, as it must where several
            are done at a time.
    """

    layout: Layout
    settings: Settings
    device: str
    further: Sequence[str]
    logged: bool = False

    def do(self, task: Task) -> int:
        """Do one task; returns its exit code."""
        if not self.logged:
            return self._do(task)
        log = self.layout.log(label(task))
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            open(log, 'a', buffering=1) as file,
            contextlib.redirect_stdout(file),
            contextlib.redirect_stderr(file),
            _interruptible(),
        ):
            return self._do(task)

    def _do(self, task: Task) -> int:
        if isinstance(task, Run):
            return train(self.layout, task, self.further)
        data = self.settings.test_data(task.variant)
        evaluate_model(self.layout, task, data, self.settings.scale.resamples, self.device)
        return 0


def work_off(plan: Plan, progress: Progress, work: Work, jobs: int = 1) -> int:
    """Do what is not done yet.

    Args:
        plan: What there is to do.
        progress: What has been done, and how long it took.
        work: How a task is done.
        jobs: Tasks at a time; each gets its share of the CPU's cores.

    Returns:
        The exit code of the first task that failed, whereupon no other is begun; 0 when all is
        done.

    Raises:
        RuntimeError: If a process that did a task has died.
    """
    with _executor(jobs) as executor:
        try:
            return _Crew(plan, progress, work, executor, jobs).run()
        except BrokenProcessPool as error:
            raise RuntimeError(
                'a process that did a task was killed, as happens when memory runs out: run the '
                'same command again, with fewer --jobs'
            ) from error


class _Crew:
    """Hands out tasks and waits for them."""

    def __init__(
        self, plan: Plan, progress: Progress, work: Work, executor: Executor, jobs: int
    ) -> None:
        self._plan = plan
        self._progress = progress
        self._work = work
        self._executor = executor
        self._jobs = jobs
        self._waiting = [task for task in progress.tasks if not progress.is_done(task)]
        self._running: dict[Future, tuple[Task, float]] = {}

    def run(self) -> int:
        """Returns the exit code of the first task that failed, 0 if none did."""
        code = 0
        try:
            while self._running or (self._waiting and not code):
                if not code:
                    self._begin()
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    code = code or future.result()
                    self._end(future)
        finally:
            for future in list(self._running):
                self._end(future)
        return code

    def _begin(self) -> None:
        """Begin the next tasks that have all they need, as many as there is room for."""
        for task in list(self._waiting):
            if len(self._running) == self._jobs:
                return
            unfinished = [*self._waiting, *(task for task, _ in self._running.values())]
            if any(need in unfinished for need in self._plan.needs(task)):
                continue
            number = self._progress.tasks.index(task) + 1
            remaining = duration(self._progress.remaining_s(self._jobs))
            print(
                f'[{number}/{len(self._progress.tasks)}] {label(task)} (about {remaining} to go)',
                flush=True,
            )
            self._waiting.remove(task)
            start = time.monotonic()
            self._running[self._executor.submit(self._work.do, task)] = task, start

    def _end(self, future: Future) -> None:
        task, start = self._running.pop(future)
        self._progress.add(task, time.monotonic() - start)


class _InThisProcess(Executor):
    """Does at once what is submitted, so that it is seen and interrupted like any command."""

    def submit(self, function, /, *arguments, **options) -> Future:
        """A future that is done already."""
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:  # an interrupt too belongs to whoever asks for the result
            future.set_exception(error)
        return future


def _executor(jobs: int) -> Executor:
    if jobs == 1:
        return _InThisProcess()
    # Forked, a process would inherit the locks of PyTorch's threads without the threads.
    return ProcessPoolExecutor(jobs, get_context('spawn'), _prepare, (jobs,))


def _prepare(jobs: int) -> None:
    """Keep memory and take the share of the cores of this process; leave Ctrl+C to tasks."""
    keep_freed_memory()
    torch.set_num_threads(max(1, core_count() // jobs))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Tasks go on from what they have saved.
    end_with_parent()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
