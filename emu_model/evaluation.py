"""Predictions against ground truth: every figure of every task, whatever made the predictions.

Training, `train.evaluate` and the evaluation of bags fill the same object and write the same keys.
"""

from collections.abc import Sequence

from torch import Tensor

from emu_model.metrics import (
    DepthComparison,
    DepthMetrics,
    InstanceMetrics,
    MetricGroup,
    SemanticComparison,
    SemanticMetrics,
)
from emu_model.sampling import Distribution
from emu_model.tasks import TASKS

ALL_PIXELS = '_all_pixels'
"""Suffix of the figures that count pixels without ground truth as inaccurate, as the paper did."""


class Evaluation:
    """The metrics of a network's tasks, fed batch by batch.

    Args:
        tasks: Names of the network's tasks.
        num_classes: Classes of the semantic task.
        all_pixels: Whether to keep the all-pixels variant beside the headline figures.
        things: Ids of the classes whose objects the instance task tells apart.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        num_classes: int | None = None,
        *,
        all_pixels: bool = True,
        things: Sequence[int] = (),
    ) -> None:
        self._tasks = tuple(tasks)
        self._num_classes = num_classes
        self._things = tuple(things)
        self._suffixes = ('', ALL_PIXELS) if all_pixels else ('',)
        self.groups = {
            task + suffix: self._new_group(task, suffix)
            for task in self._tasks
            for suffix in self._suffixes_of(task)
        }

    def update(
        self,
        distribution: Distribution,
        *,
        classes: Tensor | None = None,
        depth: Tensor | None = None,
        instances: Tensor | None = None,
    ) -> None:
        """Add a batch of images.

        Args:
            distribution: What the network believes.
            classes: Labelled class ids, integer (B, H, W), 255 for unlabelled; None for none.
            depth: Measured depth in metres, float (B, H, W), 0 for none; None for none.
            instances: Ids of objects, integer (B, H, W), 0 for none; None for none.
        """
        if classes is not None and 'semantic' in self._tasks:
            maps = distribution.maps(TASKS['semantic'].outputs)
            of_classes = SemanticComparison(
                self._num_classes,
                maps['classes'],
                classes,
                entropy=maps['entropy'],
                confidence=maps['confidence'],
                probabilities=distribution.probabilities,
            )
            for suffix in self._suffixes:
                self.groups['semantic' + suffix].add(of_classes)
        if depth is not None and 'depth' in self._tasks:
            variance = distribution.depth_variance
            of_depth = DepthComparison(distribution.depth, depth, variance=variance)
            for suffix in self._suffixes:
                self.groups['depth' + suffix].add(of_depth)
        if instances is not None and 'instance' in self._tasks:
            group = self.groups['instance']
            group.update(distribution.offsets, instances)
            if classes is not None and 'semantic' in self._tasks:
                predicted = distribution.maps(('classes', 'confidence'))
                group.match(predicted, distribution.offsets, classes, instances)

    def figures(self) -> dict[str, dict | None]:
        """{task: {figure: value}} for every task and variant; None for what the network lacks."""
        return {
            task + suffix: self.groups[task + suffix].compute() if task in self._tasks else None
            for task in TASKS
            for suffix in self._suffixes_of(task)
        }

    def curves(self) -> dict[str, dict]:
        """The curves behind the headline figures, by task."""
        return {task: self.groups[task].curves() for task in self._tasks}

    def to(self, device) -> 'Evaluation':
        """Move the metrics to a device; returns itself."""
        for group in self.groups.values():
            group.to(device)
        return self

    def _new_group(self, task: str, suffix: str) -> MetricGroup:
        if task == 'instance':
            return InstanceMetrics(self._things)
        if task == 'semantic':
            return SemanticMetrics(self._num_classes, all_pixels=bool(suffix))
        return DepthMetrics(all_pixels=bool(suffix))

    def _suffixes_of(self, task: str) -> tuple[str, ...]:
        """Pixels without an object have no offset that could count as inaccurate."""
        return ('',) if task == 'instance' else self._suffixes
