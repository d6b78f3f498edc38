"""Parts spread over the machines of a Ray cluster.

Recordings and checkpoint have to be at the same paths on every machine. Results come back through
Ray, so that only the machine that was asked writes files.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
        EvaluationError: If Ray is not installed, or there is no such cluster.
    """
    ray = _import_ray()
    try:
        ray.init(address=address or None, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EvaluationError(
            f"no Ray cluster at '{address}' ({error}): start it, or give --ray without an address"
        ) from error
    try:
        for part, measured, maps in _spread(ray, workers, job, parts):
            if maps is not None:
                with written_aside(job.store.maps_path(part.number)) as partial:
                    partial.write_bytes(maps)
            on_frames(part.count)
            yield part, measured
    finally:
        ray.shutdown()


def _spread(
    ray: Any, workers: int | None, job: Job, parts: Sequence[Part]
) -> Iterator[tuple[Part, Measured, bytes | None]]:
    """Each part, when it is done, with what was measured and the recording of its maps."""
    machines = sum(node['Alive'] for node in ray.nodes())
    count = max(min(workers or machines, len(parts)), 1)
    # Ray gives a process as many threads as CPUs, and the engine is to have all of them.
    cpus = max(int(ray.cluster_resources().get('CPU', 1)) // count, 1)
    gpus = 1 if job.options.device.startswith('cuda') else 0
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
