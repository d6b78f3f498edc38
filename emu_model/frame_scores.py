"""Figures of predictions as NumPy arrays, frame by frame, whatever engine made them.

The sums of a frame or of many can be kept in a file and added up later, by other processes too.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emu_model.evaluation import Evaluation
from emu_model.prediction import Prediction

Sums = dict[str, np.ndarray]
"""What has been counted: arrays of a fixed size by name, which add up."""

_SEPARATOR = '/'


class FrameScores:
    """The metrics of emu_model.evaluation for frames that come one at a time.

    An engine gives maps and no class probabilities: the figures that need them (Brier score,
    likelihood) are None.

    Args:
        tasks: Names of the network's tasks.
        num_classes: Classes of the semantic task.
    """

    def __init__(self, tasks: Sequence[str], num_classes: int | None = None) -> None:
        self._total = Evaluation(tasks, num_classes)
        self._frame = Evaluation(tasks, num_classes)

    def add(
        self,
        prediction: Prediction,
        *,
        classes: np.ndarray | None = None,
        depth: np.ndarray | None = None,
    ) -> dict[str, dict | None]:
        """Add a frame.

        Args:
            prediction: Its maps (H, W); with `classes`, all of the semantic task.
            classes: Labelled class ids, uint8 (H, W), 255 for unlabelled; None for none.
            depth: Measured depth in metres, float32 (H, W), 0 for none; None for none.

        Returns:
            The figures of this frame alone, as Evaluation.figures gives them.

        Raises:
            ValueError: If shapes differ or a label is no class.
        """
        try:
            self._frame.update(
                _PredictedMaps(prediction),
                classes=None if classes is None else torch.tensor(classes)[None],
                depth=None if depth is None else torch.tensor(depth)[None],
            )
            for name, group in self._frame.groups.items():
                self._total.groups[name].add_sums(group.sums())
            return self._frame.figures()
        finally:
            # A frame that was refused half-way must not count into the next one.
            for group in self._frame.groups.values():
                group.reset()

    def sums(self) -> Sums:
        """What has been counted since the beginning or the last reset."""
        return {
            f'{name}{_SEPARATOR}{key}': value.numpy()
            for name, group in self._total.groups.items()
            for key, value in group.sums().items()
        }

    def add_sums(self, sums: Mapping[str, np.ndarray]) -> None:
        """Count what another object with the same settings has counted.

        Raises:
            ValueError: If the sums are not those of an object like this one.
        """
        for name, group in self._total.groups.items():
            prefix = name + _SEPARATOR
            own = {
                key.removeprefix(prefix): torch.from_numpy(np.asarray(value))
                for key, value in sums.items()
                if key.startswith(prefix)
            }
            group.add_sums(own)

    def reset(self) -> None:
        """Forget everything."""
        for group in self._total.groups.values():
            group.reset()

    def figures(self) -> dict[str, dict | None]:
        """{task or task_all_pixels: {figure: value}}, None for what the network lacks."""
        return self._total.figures()

    def curves(self) -> dict[str, dict]:
        """The curves behind the headline figures, by task."""
        return self._total.curves()


class _PredictedMaps:
    """A prediction in the place of a Distribution, without the class probabilities."""

    probabilities = None

    def __init__(self, prediction: Prediction) -> None:
        self._maps = {
            name: torch.from_numpy(np.ascontiguousarray(value))[None]
            for name, value in prediction.maps().items()
        }
        self.depth = self._maps.get('depth')
        std = self._maps.get('depth_std')
        self.depth_variance = None if std is None else std.square()

    def maps(self, outputs: Collection[str]) -> dict[str, Tensor]:
        return {name: value for name, value in self._maps.items() if name in outputs}
