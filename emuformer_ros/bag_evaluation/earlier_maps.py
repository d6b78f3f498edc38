"""The maps that an earlier evaluation left, to look at beside those of now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emuformer_ros.bag_evaluation.gallery import FrameName, Look
from emuformer_ros.bag_evaluation.map_bag import maps_file
from emuformer_ros.bag_evaluation.plan import BagPlan
from emuformer_ros.bags.maps import read_maps
from emuformer_ros.bags.reading import Bag, BagError


def look_back(
    folder: Path, metrics: dict[str, Any], bags: Sequence[BagPlan], looks: Mapping[FrameName, Look]
) -> tuple[dict[FrameName, Look], list[str]]:
    """What an earlier evaluation made of some frames.

    Args:
        folder: Its results.
        metrics: The content of its metrics.json.
        bags: The recordings of now; those of the same name are the same.
        looks: The frames, as they are now.

    Returns:
        Those frames whose maps it left, and why others are not among them, as sentences.
    """
    earlier = [bag['name'] for bag in metrics['bags']]
    found: dict[FrameName, Look] = {}
    reasons: list[str] = []
    for plan in bags:
        wanted = {number: look for (name, number), look in looks.items() if name == plan.name}
        if not wanted or plan.name not in earlier:
            continue
        path = folder / maps_file(plan.name, len(earlier))
        if not path.is_file():
            reasons.append(
                f"The evaluation before left no maps ('{path}' is not there), so those of now "
                'stand alone.'
            )
            continue
        try:
            _look_back(path, plan, wanted, found)
        except BagError as error:
            reasons.append(f'Maps of the evaluation before cannot be shown: {error}.')
            continue
        missing = sum((plan.name, number) not in found for number in wanted)
        if missing:
            reasons.append(f"'{path}' lacks the maps of {missing} of these frames.")
    return found, reasons


def _look_back(
    path: Path, plan: BagPlan, wanted: Mapping[int, Look], found: dict[FrameName, Look]
) -> None:
    entries = [entry for entry in plan.frames if entry.number in wanted]
    with Bag(path) as bag:
        for entry in entries:
            prediction, overlay = read_maps(bag, entry.image[0], entry.stamp_ns)
            maps = prediction.maps()
            if maps:
                now = wanted[entry.number]
                size = next(iter(maps.values())).shape
                found[plan.name, entry.number] = Look(
                    now.image, prediction, overlay, now.truth.resized(size)
                )
