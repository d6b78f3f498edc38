"""What there is to compare a frame with: measured depth and labelled classes."""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.labels import UNLABELLED
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.perception import PerceivedFrame
from emuformer_ros.bag_evaluation.truth_images import labelled_classes, measured_depth
from emuformer_ros.bags.reading import BagError


@dataclass(frozen=True)
class GroundTruth:
    """What there is to compare a frame with.

    Attributes:
        classes: Labelled class ids, uint8 (H, W), 255 for unlabelled; None for none.
        depth: Measured depth in metres, float32 (H, W), 0 for no measurement; None for none.
        problems: Why some of it cannot be used, as sentences.
    """

    classes: np.ndarray | None = None
    depth: np.ndarray | None = None
    problems: tuple[str, ...] = ()

    def resized(self, size: tuple[int, int]) -> 'GroundTruth':
        """The same at another (height, width); the nearest pixel is taken."""
        return dataclasses.replace(
            self,
            **{
                name: cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
                for name in ('classes', 'depth')
                if (values := getattr(self, name)) is not None
            },
        )


def read_ground_truth(
    perceived: PerceivedFrame, info: CheckpointInfo, max_depth_m: float | None
) -> GroundTruth:
    """Labels and measured depth of a frame, those of the network's tasks that can be used.

    Args:
        perceived: The frame.
        info: Of the checkpoint.
        max_depth_m: Measured depth beyond it does not count; None for the end of the range that
            the checkpoint was trained on, for this camera.
    """
    frame, size = perceived.frame, perceived.size
    image_size = frame.image.shape[:2]
    classes = depth = None
    problems = []
    try:
        if frame.labels is not None and 'semantic' in info.tasks:
            labelled = labelled_classes(frame.labels, size, image_size=image_size)
            classes = _known_classes(labelled, len(info.class_names))
    except (EvaluationError, BagError) as error:
        problems.append(f'labels not usable: {error}')
    try:
        if frame.depth is not None and 'depth' in info.tasks:
            farthest_m = max_depth_m or _farthest_m(perceived, info)
            depth = measured_depth(frame.depth, size, farthest_m, image_size=image_size)
    except (EvaluationError, BagError) as error:
        problems.append(f'depth not usable: {error}')
    return GroundTruth(classes, depth, tuple(problems))


def _known_classes(classes: np.ndarray, count: int) -> np.ndarray:
    strange = np.unique(classes[(classes >= count) & (classes != UNLABELLED)])
    if strange.size:
        raise EvaluationError(
            f'label {strange[0]} is not among the {count} classes of the checkpoint: map the '
            f'labels to its ids, and what has none to {UNLABELLED}'
        )
    return classes


def _farthest_m(perceived: PerceivedFrame, info: CheckpointInfo) -> float:
    if info.depth_range_m is None:
        return np.inf
    return info.depth_range_m[1] * perceived.camera.depth_scale
