"""Depth errors by distance and by class, as sums that add up over frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emu_model.labels import UNLABELLED

EDGES_M = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 60, 80)
"""Where bins of the measured distance begin, in metres; the last has no end."""

_ACCURATE_RATIO = 1.25
_COLUMNS = ('pixels', 'square', 'absolute', 'relative', 'accurate', 'variance')


class DepthErrorsBy:
    """Sums over the measured pixels of each bin of distance and of each class.

    Args:
        num_classes: Classes of the network; 0 without a semantic task.
    """

    def __init__(self, num_classes: int = 0) -> None:
        self._num_classes = num_classes
        self._tables = {
            'distance': np.zeros((len(_COLUMNS), len(EDGES_M))),
            'class': np.zeros((len(_COLUMNS), num_classes)),
        }

    def add(
        self,
        depth: np.ndarray,
        target: np.ndarray,
        variance: np.ndarray | None,
        classes: np.ndarray | None,
    ) -> None:
        """Add a frame.

        Args:
            depth: Predicted depth in metres, float32 (H, W).
            target: Measured depth in metres, float32 (H, W), 0 for none.
            variance: Predictive variance in m², float32 (H, W), if there is one.
            classes: Class ids, uint8 (H, W), labelled or predicted; ids that are no class do not
                count.
        """
        counted = (target > 0) & np.isfinite(depth)
        predicted, measured = depth[counted].astype(np.float64), target[counted].astype(np.float64)
        error = np.abs(predicted - measured)
        ratio = _ACCURATE_RATIO
        accurate = (predicted < ratio * measured) & (measured < ratio * predicted)
        spread = np.zeros_like(error) if variance is None else variance[counted].astype(np.float64)
        values = (None, np.square(error), error, error / measured, accurate, spread)
        groups = {'distance': np.searchsorted(EDGES_M, measured, 'right') - 1}
        if classes is not None and self._num_classes:
            groups['class'] = classes[counted]
        for name, group in groups.items():
            table = self._tables[name]
            for row, value in enumerate(values):
                # Ids up to 255 are counted and those that are no class dropped.
                sums = np.bincount(group, value, UNLABELLED + 1)
                table[row] += sums[: table.shape[1]]

    def sums(self) -> dict[str, np.ndarray]:
        """What has been counted, by name."""
        return {f'depth_by_{name}': table.copy() for name, table in self._tables.items()}

    def add_sums(self, sums: Mapping[str, np.ndarray]) -> None:
        """Count what another object with the same classes has counted."""
        for name, table in self._tables.items():
            table += sums[f'depth_by_{name}']

    def reset(self) -> None:
        """Forget everything."""
        for table in self._tables.values():
            table[:] = 0

    def figures(self, class_names: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
        """Rows for 'by_distance' and 'by_class', those with a measured pixel.

        Each has `pixels`, `rmse` (m), `mean_absolute_error` (m), `abs_rel`, `delta1` and
        `predicted_std` (m, root of the mean predictive variance); by distance `from_m` and `to_m`
        (None for no end), by class `name`.
        """
        ends = (*EDGES_M[1:], None)
        bins = [{'from_m': start, 'to_m': end} for start, end in zip(EDGES_M, ends)]
        names = [{'name': name} for name in class_names]
        return {
            'by_distance': _rows(self._tables['distance'], bins),
            'by_class': _rows(self._tables['class'], names),
        }


def _rows(table: np.ndarray, heads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for head, (pixels, square, absolute, relative, accurate, variance) in zip(heads, table.T):
        if pixels:
            rows.append(
                {
                    **head,
                    'pixels': int(pixels),
                    'rmse': float(np.sqrt(square / pixels)),
                    'mean_absolute_error': float(absolute / pixels),
                    'abs_rel': float(relative / pixels),
                    'delta1': float(accurate / pixels),
                    'predicted_std': float(np.sqrt(variance / pixels)),
                }
            )
    return rows
