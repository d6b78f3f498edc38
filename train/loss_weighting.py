"""How the loss terms of several tasks become one loss: by fixed weights, or by learned ones.

Learned weights are those of homoscedastic uncertainty (Kendall, Gal, Cipolla 2018, arXiv
1705.07115): with one s = log σ² per term, a regression loss L counts as ½·exp(−s)·L + ½·s and a
classification loss as exp(−s)·L + ½·s. For a loss that stays as it is, the best s is log L or
log 2L: the larger a loss, the less it weighs. That takes losses that cannot be negative; a
likelihood falls without end, and so would its s.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

LOSS_WEIGHTINGS = ('fixed', 'homoscedastic')

CLASSIFICATION_TERMS = ('semantic', 'semantic_cross_view', 'kl')
REGRESSION_TERMS = ('depth', 'depth_cross_view', 'rmsle', 'instance')
"""The terms by the form of their weight. KL and RMSLE are the distances from a teacher, of class
probabilities and of variances in m²; each has an s of its own."""

UNBOUNDED_DEPTH_LOSSES = ('gnll',)
"""Depth losses that can be negative and have no lower bound."""


class FixedWeights(nn.Module):
    """The weighted sum of the terms.

    Args:
        weights: Weight of each term; 1 for those that are not named.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self._weights = dict(weights)

    def forward(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The loss of the terms, each a scalar."""
        return sum(self._weights.get(name, 1.0) * value for name, value in terms.items())

    def log_variances(self) -> dict[str, Tensor]:
        """Nothing is learned."""
        return {}


class HomoscedasticWeights(nn.Module):
    """The terms weighted by what they are uncertain of, which is learned along with the network.

    Args:
        terms: Names of the terms, of CLASSIFICATION_TERMS and REGRESSION_TERMS.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        super().__init__()
        self.log_variance = nn.ParameterDict({name: torch.zeros(()) for name in terms})

    def forward(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The loss of the terms, each a scalar; not all of them need be there."""
        return sum(self._weighted(name, value) for name, value in terms.items())

    def log_variances(self) -> dict[str, Tensor]:
        """The s of each term, without gradient."""
        return {name: s.detach() for name, s in self.log_variance.items()}

    def weights(self) -> dict[str, Tensor]:
        """What each term is multiplied by at present, without gradient."""
        return {name: _FACTORS[name] * (-s).exp() for name, s in self.log_variances().items()}

    def _weighted(self, name: str, value: Tensor) -> Tensor:
        s = self.log_variance[name]
        return _FACTORS[name] * (-s).exp() * value + 0.5 * s


def check_weighting(weighting: str, tasks: Iterable[str], depth_loss: str) -> None:
    """Refuse what cannot be weighted as asked for.

    Raises:
        ValueError: If the weighting is unknown, or the depth loss has no lower bound.
    """
    if weighting not in LOSS_WEIGHTINGS:
        raise ValueError(
            f"loss_weighting '{weighting}' is unknown: choose of {', '.join(LOSS_WEIGHTINGS)}"
        )
    learned = weighting == 'homoscedastic'
    if learned and 'depth' in tasks and depth_loss in UNBOUNDED_DEPTH_LOSSES:
        raise ValueError(
            f"loss_weighting 'homoscedastic' cannot weight the depth_loss '{depth_loss}', which "
            'can be negative and has no lower bound: its weight would grow for ever; choose '
            "depth_loss l1, mse or huber, or loss_weighting 'fixed'"
        )


_FACTORS = {**dict.fromkeys(CLASSIFICATION_TERMS, 1.0), **dict.fromkeys(REGRESSION_TERMS, 0.5)}
