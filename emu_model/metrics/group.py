"""The metrics of one task as one object: fed together, computed together, merged together."""

import math
import warnings
from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torchmetrics import Metric

Figure = float | int | None | list
"""A number, None where it is undefined, or a list of these."""


Sums = dict[str, Tensor]
"""What a group has counted: small tensors by name, which add up."""


class MetricGroup(nn.Module):
    """Base of a task's metrics; each metric is a child module and the subclass feeds them.

    Under torch.distributed, compute() and curves() combine all processes and must be called on
    each of them.
    """

    def compute(self) -> dict[str, Figure]:
        """All figures by key; None, never NaN, where there was nothing to measure."""
        return {
            key: _plain(value)
            for results in self._results()
            for key, value in results.items()
            if key != 'curves'
        }

    def curves(self) -> dict[str, dict[str, list]]:
        """The curves behind the figures: {curve: {axis: values}}."""
        return {
            name: {axis: _plain(values) for axis, values in curve.items()}
            for results in self._results()
            for name, curve in results.get('curves', {}).items()
        }

    def reset(self) -> None:
        """Forget everything."""
        for _, metric in self._metrics():
            metric.reset()

    def sums(self) -> Sums:
        """What has been counted so far, as a dict of small tensors to keep, send or save."""
        return {
            f'{name}.{state}': value.detach().clone()
            for name, metric in self._metrics()
            for state, value in metric.metric_state.items()
        }

    def add_sums(self, sums: Mapping[str, Tensor]) -> None:
        """Count what another group with the same settings has counted.

        Args:
            sums: What its sums() gave.

        Raises:
            ValueError: If the sums are not those of a group like this one.
        """
        own = self.sums()
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in sums.items()}:
            raise ValueError(
                f'the sums ({", ".join(sorted(sums)) or "none"}) are not those of '
                f'{type(self).__name__}: add those of a group with the same settings'
            )
        for name, metric in self._metrics():
            for state, value in metric.metric_state.items():
                value += sums[f'{name}.{state}'].to(value)

    def _metrics(self) -> Iterator[tuple[str, Metric]]:
        return self.named_children()

    def _results(self) -> Iterator[dict]:
        with warnings.catch_warnings():
            # A metric that was not fed is undefined here, and another process may have fed it.
            warnings.filterwarnings('ignore', 'The ``compute`` method', UserWarning)
            yield from [metric.compute() for _, metric in self._metrics()]


def _plain(value: Tensor) -> Figure:
    """A tensor as Python numbers, with None for what JSON cannot hold."""
    if value.ndim:
        return [_plain(item) for item in value]
    number = value.item()
    return number if math.isfinite(number) else None
