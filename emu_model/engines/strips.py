"""Heads and maps computed strip by strip on the CPU's cores, whatever runtime computes a strip."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import onnx

from emu_model.folding import FoldedHead
from emu_model.graphs.strips import head_strip, tail_strip
from emu_model.processor import core_count
from emu_model.resampling import linear_taps, taps_matrix
from emu_model.tasks import TASKS

Worker = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]
"""Runs a strip's graph: inputs in the graph's order to outputs; used by one thread at a time."""

Compile = Callable[[onnx.ModelProto, int], list[Worker]]
"""Makes so many workers of a strip's graph."""

_STRIP_BYTES = 2 << 20
"""What a strip's largest tensor may take: about one core's second-level cache."""

_HEAD_COLUMNS = 160
"""Columns of a head's strip: upsampling by a matrix product costs more the wider it is."""


@dataclass(frozen=True)
class Window:
    """The part of an axis that a strip of the resized axis is made of.

    Attributes:
        part: Where it is in the source.
        taps: Low, high and share of each resized position, (length of the strip,), within it.
    """

    part: slice
    taps: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def length(self) -> int:
        """Positions of the part."""
        return self.part.stop - self.part.start

    @property
    def row_taps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The taps as strip graphs take them for rows: the share is (length, 1, 1)."""
        low, high, share = self.taps
        return low, high, share[:, None, None]


def strip_starts(total: int, length: int) -> list[int]:
    """Where strips of `length` that cover an axis start; the last one overlaps if it must."""
    return [min(start, total - length) for start in range(0, total, length)]


def windows(source: int, target: int, length: int) -> list[Window]:
    """The window of each strip (`strip_starts`) of an axis resized from `source` to `target`.

    All windows are of one length, so that one graph serves every strip.
    """
    low, high, share = linear_taps(source, target)
    starts = strip_starts(target, length)
    size = int(max(high[start + length - 1] - low[start] + 1 for start in starts))
    found = []
    for start in starts:
        first = int(min(low[start], source - size))
        strip = slice(start, start + length)
        taps = (low[strip] - first, high[strip] - first, share[strip])
        found.append(Window(slice(first, first + size), taps))
    return found


class StripPool:
    """Threads that share the strips of a map between them.

    Args:
        threads: How many; the CPU cores that this process may use by default.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or core_count()
        self._executor = ThreadPoolExecutor(self.threads, 'strips')

    def run(self, workers: Sequence[Worker], jobs: Sequence['Job']) -> None:
        """Run every job, each thread with a worker of its own.

        Raises:
            Exception: What the first worker that failed raised, once none is at work any more.
        """
        shares = (jobs[index :: len(workers)] for index in range(len(workers)))
        running = [self._executor.submit(_run_jobs, *each) for each in zip(workers, shares)]
        # All of them, even if one fails: the next frame is tried with the same workers.
        wait(running)
        for done in running:
            done.result()

    def close(self) -> None:
        """Stop the threads."""
        self._executor.shutdown()


@dataclass(frozen=True)
class Job:
    """One strip: what goes into its graph, and where its outputs go."""

    inputs: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]


def _run_jobs(worker: Worker, jobs: Sequence[Job]) -> None:
    for job in jobs:
        inputs = [np.ascontiguousarray(value) for value in job.inputs]
        for target, value in zip(job.targets, worker(inputs)):
            target[...] = value


class HeadStrips:
    """A folded head from the finest feature and projected coarser levels to the raw output.

    Args:
        head: The head.
        sizes: (h, w) of each level, finest first.
        compile_strip: Makes workers of a graph.
        pool: The threads to run on.
    """

    def __init__(
        self,
        head: FoldedHead,
        sizes: Sequence[tuple[int, int]],
        compile_strip: Compile,
        pool: StripPool,
    ) -> None:
        (self._height, self._width), *coarse = sizes
        self._outputs, hidden = head.classifier.shape
        self._columns = min(self._width, _HEAD_COLUMNS)
        self._rows = _rows_of_strip(self._height, self._columns * hidden)
        down = [windows(h, self._height, self._rows) for h, _ in coarse]
        across = [windows(w, self._width, self._columns) for _, w in coarse]
        self._down, self._across = list(zip(*down)), list(zip(*across))
        self._taps = [self._taps_of(column) for column in self._across]
        graph = head_strip(
            head,
            self._rows,
            self._columns,
            [level[0].length for level in down],
            [level[0].length for level in across],
        )
        self._pool = pool
        self._workers = compile_strip(graph, pool.threads)

    def run(self, feature: np.ndarray, coarse: Sequence[np.ndarray]) -> np.ndarray:
        """The raw output, float32 (h, outputs, w).

        Args:
            feature: Finest feature map, float32 (h, w, C).
            coarse: Projections of the coarser levels, float32 (h_l, w_l, hidden).
        """
        raw = np.empty((self._height, self._outputs, self._width), np.float32)
        jobs = []
        for top, down in zip(strip_starts(self._height, self._rows), self._down):
            rows = slice(top, top + self._rows)
            for left, across, taps in zip(
                strip_starts(self._width, self._columns), self._across, self._taps
            ):
                columns = slice(left, left + self._columns)
                inputs = [feature[rows, columns], taps]
                for level, row, column in zip(coarse, down, across):
                    inputs += [level[row.part, column.part], *row.row_taps]
                target = raw[rows, :, columns].transpose(0, 2, 1)
                jobs.append(Job(tuple(inputs), (target,)))
        self._pool.run(self._workers, jobs)
        return raw

    def _taps_of(self, across: Sequence[Window]) -> np.ndarray:
        """The matrix that upsamples every coarser level along a row, once per row of a strip."""
        taps = [taps_matrix(*window.taps, window.length) for window in across]
        return np.repeat(np.concatenate(taps, axis=1)[None], self._rows, axis=0)


class TailStrips:
    """From raw outputs to maps, without ever holding classes x full size.

    Args:
        raw_shapes: (h, channels, w) of each task's raw output.
        outputs: The maps wanted.
        size: (height, width) of the maps.
        compile_strip: Makes workers of a graph.
        pool: The threads to run on.

    Attributes:
        tasks: The tasks whose raw outputs the maps need.
    """

    def __init__(
        self,
        raw_shapes: dict[str, tuple[int, int, int]],
        outputs: tuple[str, ...],
        size: tuple[int, int],
        compile_strip: Compile,
        pool: StripPool,
    ) -> None:
        wanted = {
            task: shape
            for task, shape in raw_shapes.items()
            if not set(TASKS[task].outputs).isdisjoint(outputs)
        }
        self.tasks, self._outputs, self._size = tuple(wanted), outputs, size
        channels = {task: shape[1] for task, shape in wanted.items()}
        (raw_height, raw_width), *_ = {(shape[0], shape[2]) for shape in wanted.values()}
        height, width = size
        self._rows = _rows_of_strip(height, width * max(channels.values()))
        self._windows = windows(raw_height, height, self._rows)
        raw_rows = self._windows[0].length
        graph = tail_strip(channels, outputs, raw_rows, raw_width, self._rows, width)
        self._pool = pool
        self._workers = compile_strip(graph, pool.threads)

    def run(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The maps (height, width) of raw outputs, float32 (h, channels, w) by task."""
        maps = {
            name: np.empty(self._size, np.uint8 if name == 'classes' else np.float32)
            for name in self._outputs
        }
        jobs = []
        for start, window in zip(strip_starts(self._size[0], self._rows), self._windows):
            strip = slice(start, start + self._rows)
            inputs = (*window.row_taps, *(raw[task][window.part] for task in self.tasks))
            jobs.append(Job(inputs, tuple(value[strip] for value in maps.values())))
        self._pool.run(self._workers, jobs)
        return maps


def _rows_of_strip(height: int, floats_per_row: int) -> int:
    return int(np.clip(_STRIP_BYTES // (4 * floats_per_row), 1, height))
