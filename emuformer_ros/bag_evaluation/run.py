"""An evaluation from start to end: plan, parts, results."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.comparison import METRICS, Comparison
from emuformer_ros.bag_evaluation.job import Job
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.part_store import PartStore
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import BagPlan, divide, plan_bags
from emuformer_ros.bag_evaluation.results import write_results
from emuformer_ros.bag_evaluation.running import evaluate_parts
from emuformer_ros.bag_evaluation.selection import Selection

_REPAIRED = 'repaired'


@dataclass(frozen=True)
class Request:
    """What to do with an evaluation.

    Attributes:
        options: What to evaluate.
        output: Folder for the results.
        resume: Go on with an evaluation that was interrupted.
        overwrite: Replace results that are there.
        compare: Folder with the results of another evaluation; None for none.
        selection: Frames to select for labelling; None for none.
        ray: Address of a Ray cluster, '' for one of its own on this machine; None without Ray.
        ray_workers: Engines that work at the same time; None for one per machine of the cluster.
    """

    options: Options
    output: Path
    resume: bool = False
    overwrite: bool = False
    compare: Path | None = None
    selection: Selection | None = None
    ray: str | None = None
    ray_workers: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How an evaluation ended.

    Attributes:
        summary: The content of metrics.json.
        lost: What could not be evaluated, as sentences; empty where all could.
    """

    summary: dict[str, Any]
    lost: tuple[str, ...]


def run(request: Request, console: Console) -> Outcome:
    """Evaluate; the results appear when all of them are whole.

    An interruption (KeyboardInterrupt) and errors leave the parts that are done, for --resume.

    Raises:
        EvaluationError, BagError: If it cannot be done; the message says why.
        FileNotFoundError, CheckpointError: If the checkpoint cannot be used.
        OSError: If something cannot be written.
    """
    started_s = time.monotonic()
    output, options = request.output, request.options
    store = PartStore(output)
    goes_on = request.resume and store.has_parts()
    if output.exists() and not output.is_dir():
        raise EvaluationError(f"'{output}' is a file: give the name of a folder for the results")
    if (output / METRICS).exists() and not request.overwrite and not goes_on:
        raise EvaluationError(
            f"'{output}' has the results of a finished evaluation: choose another --output, or "
            'replace them with --overwrite'
        )
    comparison = Comparison.read(request.compare) if request.compare else None
    if request.overwrite and not request.resume:
        store.discard()
    with _progress(console) as progress:
        perception = Perception(options)
        try:
            if request.selection is not None:
                request.selection.check(perception.engine.info)
            store.begin(options.identity(), resume=request.resume)
            bags = _plan(options, store, progress)
            _say(console, bags)
            job = Job(output, options, bags, list(divide(bags)), store, perception, started_s)
            _work(request, job, progress)
            task = progress.add_task('Writing the report', total=1)
            summary = write_results(job, comparison, request.selection)
            progress.advance(task)
        finally:
            perception.close()
            if not store.has_parts():
                store.discard()
    store.discard()
    damages = [bag.damage for bag in bags if bag.damage]
    problems = [f'{reason} ({count} frames)' for reason, count in summary['problems'].items()]
    return Outcome(summary, (*damages, *problems))


def _plan(options: Options, store: PartStore, progress: Progress) -> list[BagPlan]:
    def on_bag(name: str, total: int):
        task = progress.add_task(f'Looking through {name}', total=total)
        return lambda: progress.advance(task)

    return plan_bags(options, store.folder / _REPAIRED, on_bag)


def _say(console: Console, bags: Sequence[BagPlan]) -> None:
    for bag in bags:
        truth = [topic for topic in (bag.topics.depth, bag.topics.labels) if topic]
        against = f' against {" and ".join(truth)}' if truth else ', no ground truth'
        images = f'{len(bag.frames)} of {bag.recorded} images on {bag.topics.image}'
        lines = [f'{bag.name}: {images}{against}', *(f'  note: {note}' for note in bag.notes)]
        if bag.damage:
            lines.append(f'  damaged: {bag.damage}')
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def _work(request: Request, job: Job, progress: Progress) -> None:
    todo = [part for part in job.parts if not job.store.is_done(part.number)]
    total = sum(part.count for part in job.parts)
    done = total - sum(part.count for part in todo)
    task = progress.add_task('Evaluating', total=total, completed=done)

    def on_frames(count: int) -> None:
        progress.advance(task, count)

    if request.ray is None:
        finished = evaluate_parts(
            job.perception, job.bags, todo, job.options, job.store.maps_path, on_frames
        )
    else:
        from emuformer_ros.bag_evaluation.on_ray import evaluate_on_ray

        finished = evaluate_on_ray(request.ray, request.ray_workers, job, todo, on_frames)
    # Closed in any case, so that no thread runs an engine that is being freed.
    with closing(finished):
        for part, measured in finished:
            job.store.save(part.number, measured)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
