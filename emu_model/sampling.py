"""How several samples of a network become one predictive distribution.

A sample is one forward pass: of a single network, of a network with dropout left on, of one set of
heads of a sub-ensemble, of one member of an ensemble. Whatever they come from, their moments are
kept as they run, so that memory does not grow with their number.

Monte Carlo dropout: Gal and Ghahramani 2016 (arXiv 1506.02142). Deep ensemble: Lakshminarayanan et
al. 2017 (arXiv 1612.01474). Deep sub-ensemble: Valdenegro-Toro 2019 (arXiv 1910.08168). Combined
for two tasks as in EMUFormer (arXiv 2402.10580).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emu_model.checkpoint import CheckpointInfo, ensemble_info
from emu_model.inverse_depth import to_metres
from emu_model.maps import instance_maps
from emu_model.networks import Network

RawOutputs = dict[str, Tensor]


class Samples(Protocol):
    """What can be asked for samples: every network of this package."""

    info: CheckpointInfo

    def samples(self, image: Tensor) -> Iterator[RawOutputs]:
        """Raw outputs of a normalised image (B, 3, H, W), one sample after the other."""


@dataclass(frozen=True)
class Distribution:
    """What a network believes about each pixel, at full size.

    Attributes:
        probabilities: Mean softmax over the samples, float32 (B, K, H, W).
        depth: Mean of the samples' depths in metres, float32 (B, H, W).
        depth_variance: Mean of the samples' variances plus the population variance of their
            depths in m², float32 (B, H, W).
        expected_entropy: Mean over the samples of the entropy of their softmax in nats, float32
            (B, H, W); kept where the epistemic share was asked for.
        depth_spread: Population variance of the samples' depths in m², float32 (B, H, W);
            likewise.
        offsets: Mean of the samples' offsets right and down to the centroid of the pixel's
            object, in pixels, float32 (B, 2, H, W).
    """

    probabilities: Tensor | None = None
    depth: Tensor | None = None
    depth_variance: Tensor | None = None
    expected_entropy: Tensor | None = None
    depth_spread: Tensor | None = None
    offsets: Tensor | None = None

    def __getitem__(self, index: slice) -> 'Distribution':
        """The distributions of some images of a batch."""
        parts = (getattr(self, field.name) for field in fields(self))
        return Distribution(*(part if part is None else part[index] for part in parts))

    def rescaled(self, scale: Tensor) -> 'Distribution':
        """The same with depths times `scale`, float (B,), and their variances times its square."""
        scale = scale[:, None, None]

        def times(part: Tensor | None, factor: Tensor) -> Tensor | None:
            return part if part is None else part * factor

        return replace(
            self,
            depth=times(self.depth, scale),
            depth_variance=times(self.depth_variance, scale.square()),
            depth_spread=times(self.depth_spread, scale.square()),
        )

    def maps(self, outputs: Collection[str]) -> dict[str, Tensor]:
        """The wanted maps (as in Prediction) that this distribution has, each (B, H, W).

        The epistemic ones are the mutual information of class and sample, which is the entropy of
        the mean softmax less the mean entropy (Depeweg et al. 2018), and the root of the spread.
        """
        maps = {}
        if self.probabilities is not None:
            if not {'classes', 'confidence'}.isdisjoint(outputs):
                confidence, classes = self.probabilities.max(dim=1)
                maps |= {'classes': classes.to(torch.uint8), 'confidence': confidence}
            if not {'entropy', 'mutual_information'}.isdisjoint(outputs):
                maps['entropy'] = _entropy(self.probabilities)
        if self.expected_entropy is not None and 'mutual_information' in outputs:
            # Rounding can make it negative where all samples agree.
            maps['mutual_information'] = (maps['entropy'] - self.expected_entropy).clamp_min(0)
        if self.depth is not None:
            maps |= {'depth': self.depth, 'depth_std': self.depth_variance.sqrt()}
        if self.depth_spread is not None:
            maps['depth_epistemic_std'] = self.depth_spread.sqrt()
        if self.offsets is not None:
            maps |= instance_maps(self.offsets, outputs)
        return {name: value for name, value in maps.items() if name in outputs}


class RunningMoments:
    """Mean softmax, mean depth and predictive variance of the samples so far (Welford 1962).

    Args:
        size: (height, width) that raw outputs are upsampled to before anything else.
        epistemic: Whether to keep what the epistemic share of the uncertainty is made of.
        info: What the network's checkpoint says of itself; None for depth in metres.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        epistemic: bool = False,
        info: CheckpointInfo | None = None,
    ) -> None:
        self._size = size
        self._inverse = info is not None and info.depth_target == 'inverse'
        self._depth_range_m = info.depth_range_m if info is not None else None
        self._offsets: Tensor | None = None
        self._epistemic = epistemic
        self._entropy: Tensor | None = None
        self._count = 0
        self._probabilities: Tensor | None = None
        self._depth: Tensor | None = None
        self._variance: Tensor | None = None
        self._depth_squares: Tensor | None = None

    def add(self, raw: RawOutputs) -> None:
        """Take in one sample's raw outputs, (B, C, h, w) by task."""
        self._count += 1
        if 'semantic' in raw:
            probabilities = self._upsampled(raw['semantic']).softmax(dim=1)
            if self._epistemic:
                self._entropy = self._mean_with(self._entropy, _entropy(probabilities))
            self._probabilities = self._mean_with(self._probabilities, probabilities)
        if 'depth' in raw:
            mean, variance = self._upsampled(raw['depth']).unbind(dim=1)
            self._add_depth(*self._in_metres(mean.relu(), F.softplus(variance)))
        if 'instance' in raw:
            self._offsets = self._mean_with(self._offsets, self._upsampled(raw['instance']))

    def distribution(self) -> Distribution:
        """The distribution over the samples taken in.

        Raises:
            ValueError: If there was none.
        """
        if not self._count:
            raise ValueError('no sample was added: the network gave none')
        distribution = Distribution(
            self._probabilities, expected_entropy=self._entropy, offsets=self._offsets
        )
        if self._depth is None:
            return distribution
        spread = self._depth_squares / self._count
        return replace(
            distribution,
            depth=self._depth,
            depth_variance=self._variance + spread,
            depth_spread=spread if self._epistemic else None,
        )

    def _in_metres(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        if not self._inverse:
            return mean, variance
        depth, std = to_metres(mean, variance.sqrt(), self._depth_range_m)
        return depth, std.square()

    def _add_depth(self, depth: Tensor, variance: Tensor) -> None:
        if self._depth is None:
            self._depth, self._variance = depth, variance
            self._depth_squares = torch.zeros_like(depth)
            return
        before = depth - self._depth
        self._depth = self._mean_with(self._depth, depth)
        self._depth_squares.addcmul_(before, depth - self._depth)
        self._variance = self._mean_with(self._variance, variance)

    def _mean_with(self, mean: Tensor | None, value: Tensor) -> Tensor:
        return value if mean is None else mean.add_((value - mean) / self._count)

    def _upsampled(self, raw: Tensor) -> Tensor:
        return F.interpolate(raw.float(), size=self._size, mode='bilinear')


def _entropy(probabilities: Tensor) -> Tensor:
    """Entropy of class probabilities (B, K, H, W) in nats, (B, H, W)."""
    return torch.special.entr(probabilities).sum(dim=1)


def predict_distribution(
    network: Samples, image: Tensor, size: tuple[int, int], *, epistemic: bool = False
) -> Distribution:
    """The predictive distribution of any network.

    Args:
        network: A single network or one that samples.
        image: Normalised float (B, 3, H, W).
        size: (height, width) of the distribution.
        epistemic: Whether to keep what the epistemic share of the uncertainty is made of.

    Returns:
        Its moments over all samples.
    """
    moments = RunningMoments(size, epistemic=epistemic, info=network.info)
    for raw in network.samples(image):
        moments.add(raw)
    return moments.distribution()


class MonteCarloDropout(Network):
    """A network whose dropout stays on, passed through `num_samples` times.

    Stochastic depth is a training aid and stays off when sampling.
    """

    def train(self, mode: bool = True) -> 'MonteCarloDropout':
        """Set the mode of everything but dropout, which stays on."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.train()
        return self

    def samples(self, image: Tensor) -> Iterator[RawOutputs]:
        """Raw outputs of each pass."""
        for _ in range(self.num_samples):
            yield self(image)


class SubEnsemble(Network):
    """One backbone with `num_samples` heads per task, trained one per batch in turn."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.further_heads = nn.ModuleList(self.build_heads() for _ in range(self.num_samples - 1))

    def forward(self, image: Tensor, member: int = 0) -> RawOutputs:
        """Raw outputs of one member's heads."""
        return self._decode(self.backbone(image), member)

    def samples(self, image: Tensor) -> Iterator[RawOutputs]:
        """Raw outputs of each member's heads, on features computed once."""
        features = self.backbone(image)
        for member in range(self.num_samples):
            yield self._decode(features, member)

    def _decode(self, features: list[Tensor], member: int) -> RawOutputs:
        heads = self.further_heads[member - 1] if member else self.heads
        return {task: head(features) for task, head in heads.items()}


class Ensemble(nn.Module):
    """Independently trained networks, all in memory at once.

    Args:
        networks: The members.

    Raises:
        ValueError: If there is none, or they differ in tasks or classes.
    """

    def __init__(self, networks: list[Network]) -> None:
        super().__init__()
        self.info = ensemble_info([network.info for network in networks])
        self.members = nn.ModuleList(networks)

    def samples(self, image: Tensor) -> Iterator[RawOutputs]:
        """Raw outputs of each member."""
        for member in self.members:
            yield from member.samples(image)


SINGLE_FILE_METHODS = {
    'single': Network,
    'mc_dropout': MonteCarloDropout,
    'sub_ensemble': SubEnsemble,
}
"""The class of network behind each method that is stored in one file; an ensemble is a folder."""
