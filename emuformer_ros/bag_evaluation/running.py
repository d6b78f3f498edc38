"""The work itself: parts read, perceived, measured and written, all at the same time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from emuformer_ros.bag_evaluation.frames import CameraFrame, read_frames
from emuformer_ros.bag_evaluation.in_thread import in_thread
from emuformer_ros.bag_evaluation.map_bag import announce, write_maps
from emuformer_ros.bag_evaluation.measuring import Measured, Measuring
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.perception import PerceivedFrame, Perception, batches
from emuformer_ros.bag_evaluation.plan import BagPlan, Part
from emuformer_ros.bags.maps import recorded_topics
from emuformer_ros.bags.reading import Bag
from emuformer_ros.bags.writing import write_bag
from emuformer_ros.maps.outputs import FrameMaps


@dataclass(frozen=True)
class _Batch:
    """Frames on their way through the steps; the last of a part has `ends` set.

    Of `frames`, either all are usable and of one size, or there is a single one that is not.
    """

    part: Part
    frames: Sequence[CameraFrame]
    ends: bool = False


@dataclass(frozen=True)
class _Result:
    """What came of a batch."""

    part: Part
    frames: int
    maps: Sequence[tuple[FrameMaps, int]] = ()
    measured: Measured | None = None
    """Of the whole part, with its last batch."""


def evaluate_parts(
    perception: Perception,
    bags: Sequence[BagPlan],
    parts: Sequence[Part],
    options: Options,
    maps_path: Callable[[int], Path],
    on_frames: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[Part, Measured]]:
    """Evaluate parts one after the other.

    Reading and decoding, the engine, measuring, and writing of maps have a thread each (the last
    one the caller's), so that the engine waits for none of them unless it is the fastest. Only a
    few batches are in memory at a time. Closing the iterator ends all of them.

    Args:
        perception: The engine.
        bags: All recordings of the evaluation.
        parts: What to evaluate.
        options: Whether to write maps, and how to compare with ground truth.
        maps_path: Where to write the maps of a part.
        on_frames: Called with the number of frames that are done, to show progress.

    Yields:
        Each part when it is done, with its maps written.

    Raises:
        BagError: If a recording cannot be read.
        OSError: If the maps cannot be written.
    """
    read = in_thread(_read(perception, bags, parts))
    perceived = in_thread(_perceive(perception, bags, read))
    results = in_thread(_measure(perception, bags, perceived, options))
    topics = recorded_topics(perception.engine.info)
    try:
        for first in results:
            with ExitStack() as at_part_end:
                bag = None
                if options.write_maps:
                    bag = at_part_end.enter_context(write_bag(maps_path(first.part.number)))
                    announce(bag, topics)
                for done in _of_part(first, results):
                    for maps, time_ns in done.maps:
                        write_maps(bag, topics, maps, time_ns)
                    on_frames(done.frames)
            yield done.part, done.measured
    finally:
        results.close()


def _of_part(first: _Result, results: Iterator[_Result]) -> Iterator[_Result]:
    """A result and those that follow, up to the last of its part."""
    done = first
    yield done
    while done.measured is None:
        done = next(results)
        yield done


def _read(
    perception: Perception, bags: Sequence[BagPlan], parts: Sequence[Part]
) -> Iterator[_Batch]:
    opened: tuple[int, Bag] | None = None
    with ExitStack() as stack:
        for part in parts:
            plan = bags[part.bag]
            if opened is None or opened[0] != part.bag:
                stack.close()
                opened = part.bag, stack.enter_context(Bag(plan.readable))
            entries = plan.frames[part.first : part.first + part.count]
            left = part.count
            frames = read_frames(opened[1], plan.topics, entries, perception.engine.check_size)
            for batch in batches(frames, perception.batch_size):
                left -= len(batch)
                yield _Batch(part, batch, ends=left == 0)


def _perceive(
    perception: Perception, bags: Sequence[BagPlan], read: Iterator[_Batch]
) -> Iterator[tuple[_Batch, list[PerceivedFrame]]]:
    try:
        for batch in read:
            usable = batch.frames[0].image is not None
            infos = bags[batch.part.bag].camera_infos
            yield batch, perception.perceive(batch.frames, infos) if usable else []
    finally:
        read.close()


def _measure(
    perception: Perception,
    bags: Sequence[BagPlan],
    perceived: Iterator[tuple[_Batch, list[PerceivedFrame]]],
    options: Options,
) -> Iterator[_Result]:
    with_truth = any(
        frame.depth is not None or frame.labels is not None for bag in bags for frame in bag.frames
    )
    measuring = Measuring(perception.engine.info, options, with_truth)
    try:
        for batch, frames in perceived:
            name = bags[batch.part.bag].name
            written = []
            for frame in frames:
                maps = perception.maps(frame)
                measuring.add(name, frame, maps)
                if options.write_maps:
                    written.append((maps, frame.frame.entry.image[0]))
            for frame in batch.frames[len(frames) :]:
                measuring.refuse(frame.refusal)
            yield _Result(
                batch.part,
                len(batch.frames),
                written,
                measuring.take() if batch.ends else None,
            )
    finally:
        perceived.close()
