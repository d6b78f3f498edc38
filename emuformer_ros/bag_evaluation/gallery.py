"""Frames to look at: which they are, and what the network says about them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.prediction import Prediction
from emuformer_ros.bag_evaluation.alarms import network_means
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.bag_evaluation.frames import CameraFrame, read_frames
from emuformer_ros.bag_evaluation.ground_truth import GroundTruth, read_ground_truth
from emuformer_ros.bag_evaluation.perception import PerceivedFrame, Perception
from emuformer_ros.bag_evaluation.plan import BagPlan
from emuformer_ros.bags.reading import Bag
from emuformer_ros.maps.outputs import MAP_TOPICS, FrameMaps

_LEVEL = '0.95'
_APART = 25
"""Picked frames are at least this fraction of all frames apart, while there are enough."""

FrameName = tuple[str, int]
"""A frame: name of the recording and number in it."""


@dataclass(frozen=True)
class Look:
    """A frame that was looked at again.

    Attributes:
        image: The camera's, RGB uint8 (H, W, 3).
        prediction: What the node would publish of it.
        overlay: Class colours over the image, RGB uint8 (h, w, 3); None without a semantic task.
        truth: What there is to compare with.
    """

    image: np.ndarray
    prediction: Prediction
    overlay: np.ndarray | None
    truth: GroundTruth


def doubt(rows: Sequence[Row], info: CheckpointInfo) -> np.ndarray:
    """How uncertain each frame is: the largest of its mean uncertainties, each over a level.

    The level is the 0.95 quantile of the frame means that are normal for the checkpoint; of those
    of these frames where it does not say.
    """
    relative = []
    for name in UNCERTAINTIES:
        means = np.array([network_means(row).get(name, np.nan) for row in rows])
        if not np.isfinite(means).any():
            continue
        normal = info.normal_uncertainty.get(name, {}).get('frame_mean', {})
        level = normal.get(_LEVEL, float(np.nanquantile(means, float(_LEVEL))))
        relative.append(means / max(level, 1e-12))
    return np.nan_to_num(np.max(relative, axis=0)) if relative else np.zeros(len(rows))


def pick_extremes(values: np.ndarray, count: int, *, highest: bool) -> list[int]:
    """Indices of the highest or lowest values, best first, not all from one moment."""
    order = np.argsort(-values if highest else values, kind='stable')
    apart = len(values) // _APART
    picked: list[int] = []
    for spacing in (apart, 0):
        for index in order.tolist():
            if len(picked) == count:
                break
            if index not in picked and all(abs(index - other) > spacing for other in picked):
                picked.append(index)
    return picked


def read_again(
    bags: Sequence[BagPlan], names: Iterable[FrameName]
) -> Iterator[tuple[BagPlan, CameraFrame]]:
    """Read some frames once more, one at a time in memory.

    Args:
        bags: The recordings.
        names: The frames; those that are in none of the recordings, and those that cannot be
            used, are left out.
    """
    wanted = set(names)
    for plan in bags:
        entries = [entry for entry in plan.frames if (plan.name, entry.number) in wanted]
        with Bag(plan.readable) as bag:
            for entry in entries:
                for frame in read_frames(bag, plan.topics, [entry]):
                    if frame.image is not None:
                        yield plan, frame


def look_again(
    perception: Perception,
    bags: Sequence[BagPlan],
    names: Iterable[FrameName],
    max_depth_m: float | None = None,
) -> dict[FrameName, Look]:
    """Read some frames once more and run the network on them.

    Args:
        perception: The engine.
        bags: The recordings.
        names: As for `read_again`.
        max_depth_m: As in Options.
    """
    looks = {}
    for plan, frame in read_again(bags, names):
        (perceived,) = perception.perceive([frame], plan.camera_infos)
        looks[plan.name, frame.entry.number] = _look(perception, perceived, max_depth_m)
    return looks


def _look(perception: Perception, perceived: PerceivedFrame, max_depth_m: float | None) -> Look:
    maps = perception.maps(perceived)
    truth = read_ground_truth(perceived, perception.engine.info, max_depth_m)
    overlay = None if maps.prediction.classes is None else _overlay(maps)
    return Look(maps.image, maps.prediction, overlay, truth)


def _overlay(maps: FrameMaps) -> np.ndarray:
    topic = next(topic for topic in MAP_TOPICS if topic.name == '~/semantic/overlay')
    return topic.content(maps)
