"""The paper's claims, each decided by the figures and their paired bootstrap intervals."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.reproduce import paper
from train.reproduce.results import Repetitions, ResultSet

HIGHER_IS_BETTER = {'miou', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu', 'delta1'}
"""Figures, by the last part of their key, of which more is better; of the others less is."""

CONFIDENCE = 0.95

HELD = 'held'
FAILED = 'did not hold'
UNDECIDED = 'within the interval'
"""No difference can be told from that of other frames and seeds."""

_SEMANTIC = (
    'semantic.miou',
    'semantic.ece',
    'semantic.p_accurate_certain',
    'semantic.p_uncertain_inaccurate',
    'semantic.pavpu',
)
_DEPTH = (
    'depth.rmse',
    'depth.p_accurate_certain',
    'depth.p_uncertain_inaccurate',
    'depth.pavpu',
    'depth.ause',
)
_TIME = 'inference_ms.median'
_TIME_QUARTILES = 'inference_ms.quartiles'


@dataclass(frozen=True)
class Way:
    """A way of training, of the first backbone.

    Attributes:
        label: As a sentence calls it.
        network: One of emu_model.tasks.NETWORKS.
        method: As tables call it.
        depth_loss: 'gnll', 'mse' or 'huber'.
    """

    label: str
    network: str
    method: str
    depth_loss: str = 'gnll'


@dataclass(frozen=True)
class Claim:
    """That one way of training gives better figures than another.

    Attributes:
        title: The claim in words.
        better: What is claimed to be better.
        than: What it is compared with.
        figures: Dotted keys of the figures.
    """

    title: str
    better: Way
    than: Way
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim about one figure.

    Attributes:
        claim: The claim.
        figure: Dotted key.
        better: The figure of what is claimed to be better, averaged over seeds.
        than: The figure of what it is compared with.
        interval: Of the difference `better` − `than`, over resampled frames and seeds; None for
            figures that do not come from frames.
        by_seed: The difference of each pair of seeds.
        in_paper: The difference in the paper, by data set, MiT-B2.
        verdict: HELD, FAILED or UNDECIDED.
    """

    claim: Claim
    figure: str
    better: float
    than: float
    interval: tuple[float, float] | None
    by_seed: tuple[float, ...]
    in_paper: dict[str, float]
    verdict: str

    @property
    def difference(self) -> float:
        """`better` − `than`."""
        return self.better - self.than

    def to_json(self) -> dict:
        """As results are stored."""
        return {
            'claim': self.claim.title,
            'figure': self.figure,
            'better': self.better,
            'than': self.than,
            'difference': self.difference,
            'interval': self.interval and list(self.interval),
            'by_seed': list(self.by_seed),
            'in_paper': self.in_paper,
            'verdict': self.verdict,
        }


_STUDENT = Way('EMUFormer', 'SegDepthFormer', 'emuformer')
_BASELINE = Way('SegDepthFormer', 'SegDepthFormer', 'single')
_FINETUNED = Way('SegDepthFormer, fine-tuned', 'SegDepthFormer', 'single_finetuned')
_TEACHER = Way('deep ensemble', 'SegDepthFormer', 'ensemble')
_SEGFORMER = Way('SegFormer', 'SegFormer', 'single')
_DEPTHFORMER = Way('DepthFormer', 'DepthFormer', 'single')

CLAIMS = (
    Claim(
        'EMUFormer is better than its baseline, at the same cost',
        _STUDENT,
        _BASELINE,
        (*_SEMANTIC, *_DEPTH, _TIME),
    ),
    Claim(
        'EMUFormer is better than its baseline fine-tuned for as long without a teacher',
        _STUDENT,
        _FINETUNED,
        (*_SEMANTIC, *_DEPTH),
    ),
    Claim(
        'EMUFormer is as good as its teacher or better, at a fraction of the cost',
        _STUDENT,
        _TEACHER,
        (*_SEMANTIC, *_DEPTH, _TIME),
    ),
    Claim(
        'The deep ensemble is better than a single network',
        _TEACHER,
        _BASELINE,
        (*_SEMANTIC, *_DEPTH),
    ),
    Claim(
        'Depth beside it improves semantic segmentation and its uncertainty',
        _BASELINE,
        _SEGFORMER,
        _SEMANTIC,
    ),
    Claim(
        'Semantic segmentation beside it improves depth and its uncertainty',
        _BASELINE,
        _DEPTHFORMER,
        _DEPTH,
    ),
    *(
        Claim(
            f'The Gaussian likelihood trains a better student than {name}',
            _STUDENT,
            Way(f'EMUFormer with {name}', 'SegDepthFormer', 'emuformer', depth_loss),
            _DEPTH,
        )
        for name, depth_loss in (('the squared error', 'mse'), ("Huber's loss", 'huber'))
    ),
)
"""Every claim of the paper that this repository measures."""


def decide(results: ResultSet, backbone: str) -> list[Verdict]:
    """Decide every claim of which both sides have been evaluated, figure by figure.

    Args:
        results: All results.
        backbone: The one that the claims are about.
    """
    verdicts = []
    for claim in CLAIMS:
        better, than = (
            results.of(backbone, way.network, way.method, way.depth_loss)
            for way in (claim.better, claim.than)
        )
        for figure in claim.figures:
            verdict = _decide_figure(claim, figure, better, than)
            if verdict is not None:
                verdicts.append(verdict)
    return verdicts


def difference_interval(
    better: Sequence[np.ndarray], than: Sequence[np.ndarray], *, paired: bool, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the difference of two figures over frames and seeds.

    Each resampled test set is the same for both sides, so what makes frames hard cancels. The
    repetitions are resampled with it, in pairs or each side by itself.

    Args:
        better: For each repetition, the figure on each resampled test set, float64 (R,).
        than: Likewise, of the other side.
        paired: Whether the k-th of both sides share their beginning.
        seed: Of the draws.

    Returns:
        (low, high) of the middle 95 %; NaN where the figure is undefined.
    """
    rng = np.random.default_rng(seed)
    left, right = (np.stack(side) for side in (better, than))
    resamples = np.arange(left.shape[1])
    chosen = rng.integers(len(left), size=(len(left), len(resamples)))
    other = chosen if paired else rng.integers(len(right), size=(len(right), len(resamples)))
    difference = left[chosen, resamples].mean(axis=0) - right[other, resamples].mean(axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(difference, (tail, 1 - tail))
    return float(low), float(high)


def higher_is_better(figure: str) -> bool:
    """Whether more of a figure (dotted key) is better."""
    return figure.rpartition('.')[2] in HIGHER_IS_BETTER


def _decide_figure(
    claim: Claim, figure: str, better: Repetitions, than: Repetitions
) -> Verdict | None:
    means = better.mean(figure), than.mean(figure)
    if None in means:
        return None
    paired = better.seeds == than.seeds
    interval = None
    if figure == _TIME:
        verdict = HELD if _is_no_slower(better, than) else FAILED
    else:
        sides = ([result.resampled[figure] for result in side.results] for side in (better, than))
        interval = difference_interval(*sides, paired=paired)
        verdict = _verdict(interval, higher_is_better(figure))
    by_seed = [
        left.figure(figure) - right.figure(figure)
        for left, right in (zip(better.results, than.results) if paired else ())
    ]
    return Verdict(
        claim, figure, *means, interval, tuple(by_seed), _in_paper(claim, figure), verdict
    )


def _is_no_slower(left: Repetitions, right: Repetitions) -> bool:
    """Whether the middle half of one side's times is not wholly above that of the other's."""
    fastest, _ = zip(*(result.figure(_TIME_QUARTILES) for result in left.results))
    _, slowest = zip(*(result.figure(_TIME_QUARTILES) for result in right.results))
    return statistics.fmean(fastest) <= statistics.fmean(slowest)


def _verdict(interval: tuple[float, float], higher: bool) -> str:
    low, high = interval if higher else (-interval[1], -interval[0])
    if low > 0:
        return HELD
    return FAILED if high < 0 else UNDECIDED


def _in_paper(claim: Claim, figure: str) -> dict[str, float]:
    differences = {}
    for data in paper.MEASURED:
        sides = [
            paper.measured(data, ('mit_b2', way.network, way.method, way.depth_loss)).get(figure)
            for way in (claim.better, claim.than)
        ]
        if None not in sides:
            differences[data] = round(sides[0] - sides[1], 4)
    return differences
