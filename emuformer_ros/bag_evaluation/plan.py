"""What is to be done: the recordings, their frames, and the parts that work is divided into."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.bag_index import FrameEntry, index_bag, wanted_topics
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.repair import can_repair, repair_bag
from emuformer_ros.bag_evaluation.topics import Topics, find_topics
from emuformer_ros.bags.reading import Bag, BagError

PART_FRAMES = 64
"""Frames of a part. A part is done and kept as a whole, whoever does it; so an evaluation that was
interrupted, or spread over machines, adds up the same sums in the same order."""


@dataclass(frozen=True)
class BagPlan:
    """A recording and what to evaluate of it.

    Attributes:
        number: Of the recording, from 0.
        name: What to call it; no two of an evaluation have the same.
        path: Where it is.
        readable: What to read instead of it where it is damaged; else `path`.
        topics: The camera and its ground truth.
        frames: The frames to evaluate.
        camera_infos: Distinct CameraInfo messages, in CDR, which frames refer to.
        recorded: Images that were recorded.
        notes: What a user should know, as sentences.
        damage: What could not be read, as a sentence; empty where all could.
    """

    number: int
    name: str
    path: Path
    readable: Path
    topics: Topics
    frames: tuple[FrameEntry, ...]
    camera_infos: tuple[bytes, ...]
    recorded: int
    notes: tuple[str, ...]
    damage: str


@dataclass(frozen=True)
class Part:
    """Consecutive frames of a recording, evaluated together.

    Attributes:
        number: Among all parts of the evaluation, from 0.
        bag: Number of the recording.
        first: Index of its first frame among the recording's frames to evaluate.
        count: Number of frames.
    """

    number: int
    bag: int
    first: int
    count: int


def plan_bags(
    options: Options,
    repaired: Path,
    on_bag: Callable[[str, int], Callable[[], None]] = lambda name, total: lambda: None,
) -> list[BagPlan]:
    """Look through the recordings.

    Args:
        options: What to evaluate.
        repaired: Folder for what can be read of damaged recordings.
        on_bag: Called with the name and the number of messages of each recording; what it returns
            is called for each message, to show progress.

    Raises:
        BagError: If a recording or a topic cannot be used.
        EvaluationError: If no frame is left to evaluate.
    """
    plans: list[BagPlan] = []
    for number, (path, name) in enumerate(zip(options.bags, _names(options.bags))):
        readable, damage = _readable(path, repaired / f'{number}.mcap')
        with Bag(readable) as bag:
            topics, notes = find_topics(bag, options)
            total = sum(bag.topics[topic].count for topic in wanted_topics(bag, topics))
            index = index_bag(bag, topics, options, on_bag(name, total))
        if not index.frames:
            raise EvaluationError(
                f"no image on '{topics.image}' in '{path}' is in the time range: widen "
                '--start and --end'
            )
        plans.append(
            BagPlan(
                number,
                name,
                path,
                readable,
                topics,
                tuple(index.frames),
                tuple(index.camera_infos),
                index.recorded,
                (*notes, *index.notes),
                damage or index.damage,
            )
        )
    return plans


def divide(bags: Sequence[BagPlan]) -> Iterator[Part]:
    """The parts of all recordings, in order."""
    number = 0
    for bag in bags:
        for first in range(0, len(bag.frames), PART_FRAMES):
            yield Part(number, bag.number, first, min(PART_FRAMES, len(bag.frames) - first))
            number += 1


def _readable(path: Path, repaired: Path) -> tuple[Path, str]:
    try:
        with Bag(path):
            return path, ''
    except BagError:
        if not can_repair(path):
            raise
    return repaired, repair_bag(path, repaired)


def _names(paths: Sequence[Path]) -> list[str]:
    names: list[str] = []
    for path in paths:
        stem = path.stem if path.is_file() else path.resolve().name
        name, number = stem, 2
        while name in names:
            name, number = f'{stem}_{number}', number + 1
        names.append(name)
    return names
