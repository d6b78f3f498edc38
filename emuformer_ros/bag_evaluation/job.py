"""An evaluation that is under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.part_store import PartStore
from emuformer_ros.bag_evaluation.perception import Perception
from emuformer_ros.bag_evaluation.plan import BagPlan, Part


@dataclass(frozen=True)
class Job:
    """An evaluation that is under way.

    Attributes:
        output: Folder for the results.
        options: What is evaluated.
        bags: The recordings.
        parts: All parts of the work, in order.
        store: The parts that are done.
        perception: The engine.
        started_s: When it began, on the clock of time.monotonic.
    """

    output: Path
    options: Options
    bags: Sequence[BagPlan]
    parts: Sequence[Part]
    store: PartStore
    perception: Perception
    started_s: float
