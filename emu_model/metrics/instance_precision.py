"""Average precision of instances by the definition of the Cityscapes benchmark.

Cordts et al. 2016 (arXiv 1604.01685), section 4.2, and the code published with it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emu_model.labels import UNLABELLED
from emu_model.metrics.streaming import StreamingMetric

OVERLAPS = np.arange(0.5, 1.0, 0.05)
"""Intersection over union that a match has to exceed."""

LEAST_PIXELS = 100
"""Smaller objects are left out."""

_SCORES = 101
"""Scores are kept in hundredths, so that the state is of a fixed size."""


class InstancePrecision(StreamingMetric):
    """AP, AP50 and the AP of each class, over all images together.

    An instance is right at an overlap if its intersection over union with an object of its class
    exceeds it. Of several for one object the best scored counts, the others are wrong. One that
    matches nothing is wrong unless a share of it above the overlap lies on unlabelled pixels, on a
    group (pixels of the class without an id) or on objects that are too small. AP of a class is
    the area under the curve of precision against recall, averaged over the overlaps 0.5, 0.55 …
    0.95, and AP the mean over the classes that objects were seen of. Scores count to the
    hundredth.

    Args:
        things: Ids of the classes whose objects are told apart.
        least_pixels: Smaller objects are left out.
    """

    right: Tensor
    wrong: Tensor
    instances: Tensor

    def __init__(self, things: Sequence[int], *, least_pixels: int = LEAST_PIXELS) -> None:
        super().__init__()
        self.things = tuple(things)
        self.least_pixels = least_pixels
        self.add_counts('right', len(self.things), len(OVERLAPS), _SCORES)
        self.add_counts('wrong', len(self.things), len(OVERLAPS), _SCORES)
        self.add_counts('instances', len(self.things))

    def update(
        self,
        instances: np.ndarray,
        classes: np.ndarray,
        confidence: np.ndarray,
        target_instances: np.ndarray,
        target_classes: np.ndarray,
    ) -> None:
        """Add an image.

        Args:
            instances: Predicted ids, integer (H, W), 0 for none; all pixels of an id have one
                class.
            classes: Predicted class ids, integer (H, W).
            confidence: Class probabilities, float (H, W); their mean is the instance's score.
            target_instances: Ids of objects, integer (H, W); 0 = none.
            target_classes: Labelled class ids, integer (H, W); 255 = unlabelled.
        """
        for place, thing in enumerate(self.things):
            found = _number_from_one(np.where(classes == thing, instances, 0))
            mean = np.bincount(found.ravel(), confidence.ravel())[1:] / _areas(found)
            scores = np.rint(np.clip(mean, 0, 1) * (_SCORES - 1)).astype(int)
            objects = _Objects(target_instances, target_classes, thing, self.least_pixels)
            self.instances[place] += int(objects.count.sum())
            for step, overlap in enumerate(OVERLAPS):
                right, wrong = objects.judge(found, scores, overlap)
                self.right[place, step] += self._histogram(right)
                self.wrong[place, step] += self._histogram(wrong)

    def compute(self) -> dict[str, Tensor]:
        """`ap`, `ap50` and `class_ap` (T,), 0 to 1, and `instances`, the number of objects."""
        right, wrong = self.right.cpu().numpy(), self.wrong.cpu().numpy()
        objects = self.instances.cpu().numpy()
        precision = np.array(
            [
                [average_precision(*counts, of_class) for counts in zip(*steps)]
                for *steps, of_class in zip(right, wrong, objects)
            ]
        ).reshape(len(self.things), len(OVERLAPS))
        by_class = torch.from_numpy(precision.mean(axis=1))
        return {
            'ap': torch.nanmean(by_class),
            'ap50': torch.nanmean(torch.from_numpy(precision[:, 0])),
            'class_ap': by_class,
            'instances': self.instances.sum(),
        }

    def _histogram(self, scores: np.ndarray) -> Tensor:
        counts = np.bincount(scores, minlength=_SCORES)
        return torch.from_numpy(counts).to(self.right.device)


def average_precision(right: np.ndarray, wrong: np.ndarray, objects: int) -> float:
    """Area under precision against recall, as the benchmark integrates it.

    Args:
        right: Instances that match an object, by score from low to high, int (S,).
        wrong: Instances that match none.
        objects: How many objects there are.

    Returns:
        0 to 1; NaN where there is no object.
    """
    if not objects:
        return float('nan')
    occurs = right + wrong > 0
    hits, misses = (
        np.cumsum(counts[::-1])[::-1][occurs].astype(float) for counts in (right, wrong)
    )
    precision = np.append(hits / (hits + misses), 1.0)
    recall = np.append(hits / objects, 0.0)
    widths = (np.append(recall[0], recall[:-1]) - np.append(recall[1:], 0.0)) / 2
    return float(precision @ widths)


class _Objects:
    """The objects of one class in an image.

    Attributes:
        count: Which of the regions are objects that count, bool (R,).
    """

    def __init__(
        self, instances: np.ndarray, classes: np.ndarray, thing: int, least_pixels: int
    ) -> None:
        of_class = classes == thing
        self._regions = _number_from_one(np.where(of_class, instances, 0))
        small = _areas(self._regions) < least_pixels
        self.count, self._ignored = ~small, small.astype(int)
        group = of_class & (instances == 0)
        if group.any():
            # A group is a region that never counts; a small one is taken off twice, as published.
            self._regions = np.where(group, len(self.count) + 1, self._regions)
            self.count = np.append(self.count, False)
            self._ignored = np.append(self._ignored, 1 + int(group.sum() < least_pixels))
        self._void = classes == UNLABELLED

    def judge(
        self, found: np.ndarray, scores: np.ndarray, overlap: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the instances that are right and of those that are wrong at an overlap.

        Args:
            found: Predicted instances of the class, numbered from 1, int (H, W); 0 = none.
            scores: Score of each, int (P,).
            overlap: What intersection over union has to exceed.
        """
        shared = self._intersections(found)
        areas = _areas(found)
        union = areas[:, None] + _areas(self._regions, len(self.count)) - shared
        matches = shared / union > overlap
        right, wrong = [], []
        for region in np.flatnonzero(self.count):
            candidates = np.sort(scores[matches[:, region]])
            right += candidates[-1:].tolist()
            wrong += candidates[:-1].tolist()
        void = np.bincount(found[self._void], minlength=len(areas) + 1)[1:]
        excused = (void + shared @ self._ignored) / areas > overlap
        wrong += scores[~matches.any(axis=1) & ~excused].tolist()
        return np.array(right, int), np.array(wrong, int)

    def _intersections(self, found: np.ndarray) -> np.ndarray:
        """Pixels that each instance shares with each region, int (P, R)."""
        rows, columns = int(found.max(initial=0)) + 1, len(self.count) + 1
        pairs = np.bincount((found * columns + self._regions).ravel(), minlength=rows * columns)
        return pairs.reshape(rows, columns)[1:, 1:]


def _number_from_one(ids: np.ndarray) -> np.ndarray:
    """Ids, where 0 is none, as consecutive numbers from 1, int64 (H, W)."""
    known, numbers = np.unique(ids, return_inverse=True)
    return numbers.reshape(ids.shape) + int(known[0] != 0)


def _areas(regions: np.ndarray, count: int | None = None) -> np.ndarray:
    """Pixels of each region from 1 on."""
    return np.bincount(regions.ravel(), minlength=(count or 0) + 1)[1:]
