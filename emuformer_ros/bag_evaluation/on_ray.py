"""Parts spread over the machines of a Ray cluster.

Recordings and checkpoint have to be at the same paths on every machine. Results come back through
Ray, so that only the machine that was asked writes files.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu_model.files import written_aside
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.job import Job
from emuformer_ros.bag_evaluation.measuring import Measured
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import BagPlan, Part
from emuformer_ros.bag_evaluation.running import evaluate_parts


def evaluate_on_ray(
    address: str,
    workers: int | None,
    job: Job,
    parts: Sequence[Part],
    on_frames: Callable[[int], None],
) -> Iterator[tuple[Part, Measured]]:
    """Evaluate parts on a cluster; the numbers are those of a single process.

    Args:
        address: Of the cluster; '' starts one on this machine, which ends with the evaluation.
        workers: Engines that work at the same time; None for one per machine.
        job: The evaluation.
        parts: What of it is to be done.
        on_frames: Called with the number of frames that are done.

    Yields:
        Each part when it is done, in no order, with its maps written.

    Raises:
        EvaluationError: If Ray is not installed, there is no such cluster, or it has nothing to
            run an engine on.
    """
    ray = _import_ray()
    try:
        ray.init(address=address or 'local', log_to_driver=False, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (
            f"no Ray cluster at '{address}' ({error}): start it, or give --ray without an address"
            if address
            else f'Ray cannot be started here ({error}): evaluate without --ray'
        )
        raise EvaluationError(reason) from error
    try:
        for part, measured, maps in _spread(ray, workers, job, parts):
            if maps is not None:
                with written_aside(job.store.maps_path(part.number)) as partial:
                    partial.write_bytes(maps)
            on_frames(part.count)
            yield part, measured
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class Machine:
    """What a machine of the cluster has: numbers of CPUs and GPUs."""

    cpus: int
    gpus: int = 0

    def engines(self, cpus: int, gpus: int) -> int:
        """How many engines with so many CPUs and GPUs each have room on it."""
        room = self.cpus // cpus
        return min(room, self.gpus // gpus) if gpus else room


def share_machines(machines: Sequence[Machine], engines: int, gpus: int) -> tuple[int, int]:
    """How many engines can work at the same time, and how many CPUs each of them can have.

    Ray gives a process as many threads as CPUs, so each engine is to have as many as there are.
    An engine is on one machine, and Ray waits for ever for room that no machine has.

    Args:
        machines: Those of the cluster.
        engines: How many there should be.
        gpus: How many GPUs each of them needs.

    Returns:
        The number of engines, fewer where there is no room, and the CPUs of each.

    Raises:
        EvaluationError: If there is no room for any.
    """

    def room(cpus: int) -> int:
        return sum(machine.engines(cpus, gpus) for machine in machines)

    if not room(1):
        raise EvaluationError(
            f'no machine of the Ray cluster has a CPU{" and a GPU" if gpus else ""} to run an '
            'engine on: add one, or evaluate without --ray'
        )
    engines = min(engines, room(1))
    most = max(machine.cpus for machine in machines)
    return engines, max(cpus for cpus in range(1, most + 1) if room(cpus) >= engines)


def _spread(
    ray: Any, workers: int | None, job: Job, parts: Sequence[Part]
) -> Iterator[tuple[Part, Measured, bytes | None]]:
    """Each part, when it is done, with what was measured and the recording of its maps."""
    gpus = 1 if job.options.device == 'cuda' else 0
    machines = [
        Machine(int(node['Resources'].get('CPU', 0)), int(node['Resources'].get('GPU', 0)))
        for node in ray.nodes()
        if node['Alive']
    ]
    count, cpus = share_machines(machines, min(workers or len(machines), len(parts)), gpus)
    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(RayWorker)
    bags = ray.put(list(job.bags))
    engines = [remote.remote(bags, job.options) for _ in range(count)]
    waiting = iter(parts)
    running = {each.evaluate.remote(part): (each, part) for each, part in zip(engines, waiting)}
    while running:
        (done,), _ = ray.wait(list(running), num_returns=1)
        engine, part = running.pop(done)
        if (following := next(waiting, None)) is not None:
            running[engine.evaluate.remote(following)] = (engine, following)
        yield (part, *ray.get(done))


class RayWorker:
    """An engine in a process of the cluster."""

    def __init__(self, bags: Sequence[BagPlan], options: Options) -> None:
        self._bags = bags
        self._options = options
        self._perception = Perception(options)

    def evaluate(self, part: Part) -> tuple[Measured, bytes | None]:
        """What was measured on a part, and the recording of its maps."""
        folder = Path(tempfile.mkdtemp(prefix='evaluate_bag_'))
        try:
            path = folder / 'maps.mcap'
            ((_, measured),) = evaluate_parts(
                self._perception, self._bags, [part], self._options, lambda number: path
            )
            return measured, path.read_bytes() if self._options.write_maps else None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _import_ray():
    try:
        import ray
    except ImportError as error:
        raise EvaluationError(
            '--ray needs Ray, not installed here: install the extra emuformer_ros[ray]'
        ) from error
    return ray
