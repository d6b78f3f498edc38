"""All figures of the semantic task."""

import torch
from torch import Tensor

from emu_model.labels import UNLABELLED
from emu_model.metrics.calibration import CalibrationError
from emu_model.metrics.certainty import AccuracyVersusUncertainty
from emu_model.metrics.confusion import IntersectionOverUnion
from emu_model.metrics.group import MetricGroup
from emu_model.metrics.probabilities import ProbabilityScores
from emu_model.metrics.selective import RiskCoverage
from emu_model.metrics.streaming import PixelCount, PixelShares
from emu_model.shapes import check_same_shape

PROBABILITY_TOLERANCE = 1e-2
"""How far above 1 a probability may be by rounding; bf16 has steps of 0.4 %."""


class SemanticMetrics(MetricGroup):
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
        super().__init__()
        self.num_classes = num_classes
        self.all_pixels = all_pixels
        self.count = PixelCount()
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
        """Add a batch of images.

        Args:
            classes: Predicted class ids, any integer type (B, H, W).
            target: Labelled class ids, any integer type (B, H, W); 255 is unlabelled.
            entropy: Predictive entropy in nats, float (B, H, W).
            confidence: Highest class probability, float (B, H, W).
            probabilities: Mean softmax, float (B, K, H, W).

        Raises:
            ValueError: If shapes differ, an id is no class, or a probability is not in 0 to 1.
        """
        self._check(classes, target, entropy, confidence, probabilities)
        finite = torch.ones_like(target, dtype=torch.bool)
        for values in (entropy, confidence, _class_sum(probabilities)):
            if values is not None:
                finite &= values.isfinite()
        labelled = target != UNLABELLED
        wanted = torch.ones_like(labelled) if self.all_pixels else labelled
        counted, labelled = wanted & finite, labelled & finite
        accurate = labelled & (classes == target)

        self.count.update(counted, wanted & ~finite)
        self.iou.update(classes, torch.where(labelled, target, UNLABELLED))
        self.accuracy.update([accurate], counted)
        if entropy is not None:
            self.certainty.update(accurate, entropy, counted)
            self.risk_coverage.update(accurate, entropy, counted)
        if confidence is not None:
            self.calibration.update(confidence, accurate, counted)
            self.calibration_10.update(confidence, accurate, counted)
        if probabilities is not None:
            self.scores.update(probabilities, target, labelled)

    def _check(
        self,
        classes: Tensor,
        target: Tensor,
        entropy: Tensor | None,
        confidence: Tensor | None,
        probabilities: Tensor | None,
    ) -> None:
        check_same_shape(classes=classes, target=target, entropy=entropy, confidence=confidence)
        self._check_ids('predicted', classes)
        self._check_ids('labelled', target[target != UNLABELLED])
        _check_probabilities('confidence', confidence)
        _check_probabilities('probabilities', probabilities)
        if probabilities is not None:
            batch, *size = target.shape
            expected = (batch, self.num_classes, *size)
            if probabilities.shape != expected:
                raise ValueError(
                    f'probabilities have shape {tuple(probabilities.shape)}, expected {expected}: '
                    'pass the softmax over all classes'
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
