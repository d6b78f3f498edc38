"""Results by what they are results of; repetitions with other seeds together."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from train.reproduce.evaluations import Result


@dataclass(frozen=True)
class Repetitions:
    """The results of one way of training, by seed.

    Attributes:
        results: One for each seed; none where it has not been evaluated.
    """

    results: tuple[Result, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The number of each repetition."""
        return tuple(result.model.seed for result in self.results)

    def mean(self, figure: str) -> float | None:
        """A figure (dotted key) averaged over the seeds; None where it is undefined."""
        values = self._values(figure)
        return statistics.fmean(values) if values else None

    def spread(self, figure: str) -> float | None:
        """Its standard deviation over the seeds; None for fewer than two."""
        values = self._values(figure)
        return statistics.stdev(values) if len(values) > 1 else None

    def _values(self, figure: str) -> list[float]:
        values = [result.figure(figure) for result in self.results]
        return [value for value in values if value is not None]


class ResultSet:
    """All results of an experiment.

    Args:
        results: In any order.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = tuple(results)

    def of(
        self,
        backbone: str,
        network: str,
        method: str,
        depth_loss: str = 'gnll',
        variant: str = '',
    ) -> Repetitions:
        """The repetitions of one way of training, by seed."""
        wanted = (backbone, network, method, depth_loss, variant)
        found = [
            result
            for result in self.results
            if wanted
            == (
                result.model.backbone,
                result.model.network,
                result.model.method,
                result.model.depth_loss,
                result.model.variant,
            )
        ]
        return Repetitions(tuple(sorted(found, key=lambda result: result.model.seed)))
