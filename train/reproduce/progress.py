"""How far an experiment is, and how long the rest will take."""

import json
from collections.abc import Sequence

from train.files import write_json
from train.reproduce.evaluations import is_current
from train.reproduce.layout import Layout
from train.reproduce.plan import Run, Task


class Progress:
    """Durations of tasks, kept in the experiment's folder.

    Args:
        layout: The folder.
        tasks: Everything to do.
        first_guess: Seconds for the unit of cost, before anything is done; None where nothing is
            known.
    """

    def __init__(
        self, layout: Layout, tasks: Sequence[Task], first_guess: float | None = None
    ) -> None:
        self.tasks = tasks
        self._first_guess = first_guess
        self._layout = layout
        path = layout.durations
        self._seconds: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}

    def is_done(self, task: Task) -> bool:
        """Whether a task's result is there."""
        if isinstance(task, Run):
            return self._layout.network(task.name).is_file()
        return is_current(self._layout, task)

    def seconds(self, task: Task) -> float | None:
        """How long a task took, over all the times that it was worked on."""
        return self._seconds.get(label(task))

    def estimate(self, task: Task) -> float | None:
        """How long a task takes: measured if it is done, else estimated at the pace so far."""
        if self.is_done(task) and self.seconds(task):
            return self.seconds(task)
        pace = self._pace()
        return None if pace is None else task.cost * pace

    def remaining_s(self, jobs: int = 1) -> float | None:
        """How long the rest will take with so many tasks at a time, at the pace so far."""
        pace = self._pace()
        cost = sum(task.cost for task in self.tasks if not self.is_done(task))
        return None if pace is None else cost * pace / jobs

    def _pace(self) -> float | None:
        timed = [task for task in self.tasks if self.is_done(task) and self.seconds(task)]
        if not timed:
            return self._first_guess
        return sum(self.seconds(task) for task in timed) / sum(task.cost for task in timed)

    def add(self, task: Task, seconds: float) -> None:
        """Add the time that was spent on a task to its earlier ones."""
        name = label(task)
        self._seconds[name] = round(self._seconds.get(name, 0.0) + seconds, 1)
        write_json(self._layout.durations, self._seconds)


def label(task: Task) -> str:
    """A task as a line names it."""
    if isinstance(task, Run):
        return f'train {task.name}'
    return f'evaluate {task.evaluation}'


def duration(seconds: float | None) -> str:
    """A time as people say it."""
    if seconds is None:
        return 'unknown'
    if seconds < 99.5:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 100 else f'{minutes / 60:.1f} h'


def overview(progress: Progress, jobs: int = 1) -> str:
    """The plan as text: every task with its steps and estimated or measured time."""
    lines = []
    for number, task in enumerate(progress.tasks, 1):
        seconds = progress.estimate(task)
        steps = f'{task.steps} steps' if isinstance(task, Run) else ''
        state = 'done' if progress.is_done(task) else ''
        lines.append(
            f'{number:4}  {label(task):58} {steps:>12}  {duration(seconds):>8}  {state}'.rstrip()
        )
    runs = sum(isinstance(task, Run) for task in progress.tasks)
    lines.append(
        f'{runs} runs and {len(progress.tasks) - runs} evaluations, time to go: '
        f'{duration(progress.remaining_s(jobs))}'
    )
    return '\n'.join(lines)
