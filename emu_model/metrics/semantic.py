"""All figures of the semantic task."""

import torch
from torch import Tensor

from emu_model.labels import UNLABELLED
from emu_model.metrics.calibration import CalibrationError
from emu_model.metrics.certainty import AccuracyVersusUncertainty
from emu_model.metrics.comparison import ComparingGroup, Comparison
from emu_model.metrics.confusion import IntersectionOverUnion
from emu_model.metrics.probabilities import ProbabilityScores
from emu_model.metrics.ranking import Ranking
from emu_model.metrics.selective import RiskCoverage
from emu_model.metrics.streaming import PixelShares
from emu_model.shapes import check_same_shape

PROBABILITY_TOLERANCE = 1e-2
"""How far above 1 a probability may be by rounding; bf16 has steps of 0.4 %."""


class SemanticMetrics(ComparingGroup):
    """How good the classes are and how well their uncertainty knows it.

    From the classes: `miou`, `class_iou`, `pixel_accuracy`. With the entropy:
    `p_accurate_certain`, `p_uncertain_inaccurate`, `pavpu`, `aurc` and the curve `risk_coverage`.
    With the confidence: `ece`, `ece_10_bins` and the curves `reliability_15`, `reliability_10`.
    With the probabilities: `brier`, `nll`. Always: `pixels` and `nonfinite_pixels`. Figures whose
    input is never given are None.

    The figures cover labelled pixels. With `all_pixels`, unlabelled ones count as inaccurate, as
    they must have for the EMUFormer paper's accuracies, in all figures but those that need a
    label (IoU, Brier score, likelihood). Pixels whose prediction is not finite are left out of
    every figure and counted in `nonfinite_pixels`.

    Args:
        num_classes: Number of classes K, 1 to 255.
        all_pixels: Whether unlabelled pixels are counted, as inaccurate.
    """

    def __init__(self, num_classes: int, *, all_pixels: bool = False) -> None:
        super().__init__(all_pixels=all_pixels)
        self.num_classes = num_classes
        self.iou = IntersectionOverUnion(num_classes)
        self.accuracy = PixelShares('pixel_accuracy')
        self.certainty = AccuracyVersusUncertainty()
        self.risk_coverage = RiskCoverage()
        self.calibration = CalibrationError(15, 'ece')
        self.calibration_10 = CalibrationError(10, 'ece_10_bins')
        self.scores = ProbabilityScores()

    def update(
        self,
        classes: Tensor,
        target: Tensor,
        *,
        entropy: Tensor | None = None,
        confidence: Tensor | None = None,
        probabilities: Tensor | None = None,
    ) -> None:
        """Add a batch of images; the arguments are those of SemanticComparison."""
        maps = {'entropy': entropy, 'confidence': confidence, 'probabilities': probabilities}
        self.add(SemanticComparison(self.num_classes, classes, target, **maps))

    def count_compared(self, comparison: 'SemanticComparison') -> None:
        """Feed the metrics that need a label."""
        labelled, target = comparison.compared, comparison.target
        self.iou.update(comparison.classes, torch.where(labelled, target, UNLABELLED))
        if comparison.probabilities is not None:
            self.scores.update(comparison.probabilities, target, labelled)

    def count_accuracy(
        self, comparison: 'SemanticComparison', counted: Tensor, rankings: list[Ranking]
    ) -> None:
        """Feed the metrics in which a pixel without a label can count, as inaccurate."""
        accurate = comparison.compared & (comparison.classes == comparison.target)
        self.accuracy.update([accurate], counted)
        if comparison.entropy is not None:
            self.certainty.update(accurate, comparison.entropy, counted)
            self.risk_coverage.add_ranked(accurate, rankings)
        if comparison.confidence is not None:
            self.calibration.update(comparison.confidence, accurate, counted)
            self.calibration_10.update(comparison.confidence, accurate, counted)


class SemanticComparison(Comparison):
    """Class maps held against labels, which are ranked by their entropy.

    Args:
        num_classes: Number of classes K, 1 to 255.
        classes: Predicted class ids, any integer type (B, H, W).
        target: Labelled class ids, any integer type (B, H, W); 255 is unlabelled.
        entropy: Predictive entropy in nats, float (B, H, W).
        confidence: Highest class probability, float (B, H, W).
        probabilities: Mean softmax, float (B, K, H, W).

    Raises:
        ValueError: If shapes differ, an id is no class, or a probability is not in 0 to 1.
    """

    def __init__(
        self,
        num_classes: int,
        classes: Tensor,
        target: Tensor,
        *,
        entropy: Tensor | None = None,
        confidence: Tensor | None = None,
        probabilities: Tensor | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.classes, self.target, self.entropy = classes, target, entropy
        self.confidence, self.probabilities = confidence, probabilities
        self._check()
        finite = torch.ones_like(target, dtype=torch.bool)
        for values in (entropy, confidence, _class_sum(probabilities)):
            if values is not None:
                finite &= values.isfinite()
        super().__init__(target != UNLABELLED, finite, entropy)

    def empty_group(self) -> SemanticMetrics:
        """Metrics of these classes."""
        return SemanticMetrics(self.num_classes).to(self.target.device)

    def _check(self) -> None:
        check_same_shape(
            classes=self.classes,
            target=self.target,
            entropy=self.entropy,
            confidence=self.confidence,
        )
        self._check_ids('predicted', self.classes)
        self._check_ids('labelled', self.target[self.target != UNLABELLED])
        _check_probabilities('confidence', self.confidence)
        _check_probabilities('probabilities', self.probabilities)
        if self.probabilities is not None:
            batch, *size = self.target.shape
            expected = (batch, self.num_classes, *size)
            if self.probabilities.shape != expected:
                raise ValueError(
                    f'probabilities have shape {tuple(self.probabilities.shape)}, expected '
                    f'{expected}: pass the softmax over all classes'
                )

    def _check_ids(self, kind: str, ids: Tensor) -> None:
        if not ids.numel():
            return
        low, high = (int(bound) for bound in torch.aminmax(ids))
        if low < 0 or high >= self.num_classes:
            wrong = low if low < 0 else high
            raise ValueError(
                f'{kind} class id {wrong} is not among the {self.num_classes} classes 0 to '
                f'{self.num_classes - 1}: map the ids, and what has no class to {UNLABELLED}'
            )


def _class_sum(probabilities: Tensor | None) -> Tensor | None:
    """A map that is finite where all classes are."""
    return None if probabilities is None else probabilities.sum(dim=1)


def _check_probabilities(name: str, values: Tensor | None) -> None:
    if values is None or not values.numel():
        return
    low, high = torch.aminmax(values)  # NaN passes, and is counted as not finite
    if low < 0 or high > 1 + PROBABILITY_TOLERANCE:
        raise ValueError(
            f'{name} range from {float(low):.4g} to {float(high):.4g}, expected 0 to 1: pass the '
            'softmax, not the logits'
        )
