"""Losses of EMUFormer (Landgraf et al. 2024, arXiv 2402.10580) on activated maps.

The L1 losses are those of Kendall et al. (2018, arXiv 1705.07115).

Each is a mean over the pixels that count, computed in fp32 at least whatever autocast says, and
zero with a zero gradient where no pixel counts, so that a crop without labels trains nothing.
Depth that was not measured, which may be NaN, reaches neither value nor gradient.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from emu_model.labels import UNLABELLED
from emu_model.shapes import check_mask, check_same_shape

VARIANCE_FLOOR = 1e-6
"""Smallest predicted variance in m² that a likelihood is computed with."""

RMSLE_EPSILON = 1e-8
"""Added under the root of the RMSLE, whose gradient at zero would otherwise be infinite."""

_LEAST_PROBABILITY = 1e-7
"""Probabilities are raised to this before a logarithm."""

_LEAST_WEIGHT = 1e-6
"""Sums of weights are raised to this, so that pixels without weight give zero."""


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross entropy of the softmax, averaged over labelled pixels (EMUFormer, L_CE).

    Args:
        logits: Class scores before the softmax, float (B, K, H, W).
        classes: Class ids, any integer type (B, H, W); 255 is unlabelled.

    Returns:
        A scalar in nats; zero when no pixel is labelled.

    Raises:
        ValueError: If the shapes differ.
    """
    check_same_shape(**{'logits of one class': logits[:, 0], 'classes': classes})
    total = F.cross_entropy(
        _full_precision(logits), classes.long(), ignore_index=UNLABELLED, reduction='sum'
    )
    return total / (classes != UNLABELLED).sum().clamp_min(1)


def soft_cross_entropy(probabilities: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the cross entropy H with class probabilities as target (Pseudo-MTL, eq. 8).

    Σ c·(−Σ q log p) / Σ c, with c the weight, q the target and p the prediction.

    Args:
        probabilities: Predicted softmax, possibly warped, float (B, K, H, W).
        target: Class probabilities, float (B, K, H, W).
        weight: What each pixel counts, not negative, float (B, H, W).

    Returns:
        A scalar in nats; zero when no pixel has a weight.

    Raises:
        ValueError: If the shapes differ.
    """
    check_same_shape(probabilities=probabilities, target=target)
    check_same_shape(**{'probabilities of one class': probabilities[:, 0], 'weight': weight})
    log_probabilities = _full_precision(probabilities).clamp_min(_LEAST_PROBABILITY).log()
    entropy = -(_full_precision(target) * log_probabilities).sum(dim=1)
    return _mean_over(weight > 0, entropy, weight)


def gaussian_nll(
    mean: Tensor,
    variance: Tensor,
    target: Tensor,
    valid: Tensor,
    weight: Tensor | None = None,
) -> Tensor:
    """Gaussian negative log-likelihood, averaged over valid pixels (EMUFormer eq. 6).

    ½((y − μ)²/s² + log s²), without the constant ½ log 2π. The floor on the variance passes the
    gradient on, so that a variance that has collapsed below it can grow again.

    Args:
        mean: Predicted depth in metres, float (B, H, W).
        variance: Predicted variance in m², float (B, H, W), floored at 1e-6.
        target: Measured depth in metres, float (B, H, W).
        valid: Where `target` is a measurement, bool (B, H, W).
        weight: What each pixel counts, such as how far its target can be trusted, not negative,
            float (B, H, W); None for all alike.

    Returns:
        A scalar; zero when no pixel is valid.

    Raises:
        ValueError: If the shapes differ or `valid` is not bool.
    """
    check_same_shape(mean=mean, variance=variance, target=target, valid=valid)
    variance = _full_precision(variance)
    floored = variance + (variance.clamp_min(VARIANCE_FLOOR) - variance).detach()
    square = _residual(mean, target, valid).square()
    return _mean_over(valid, 0.5 * (square / floored + floored.log()), weight)


def mse(mean: Tensor, target: Tensor, valid: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error in m² over valid pixels (EMUFormer, ablation of the depth loss).

    Args:
        mean: Predicted depth in metres, float (B, H, W).
        target: Measured depth in metres, float (B, H, W).
        valid: Where `target` is a measurement, bool (B, H, W).
        weight: What each pixel counts, such as how far its target can be trusted, not negative,
            float (B, H, W); None for all alike.

    Returns:
        A scalar; zero when no pixel is valid.

    Raises:
        ValueError: If the shapes differ or `valid` is not bool.
    """
    check_same_shape(mean=mean, target=target, valid=valid)
    return _mean_over(valid, _residual(mean, target, valid).square(), weight)


def huber(
    mean: Tensor,
    target: Tensor,
    valid: Tensor,
    delta_m: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Huber loss over valid pixels (Huber 1964; EMUFormer, ablation of the depth loss).

    ½r² up to |r| = delta, delta·(|r| − ½·delta) beyond.

    Args:
        mean: Predicted depth in metres, float (B, H, W).
        target: Measured depth in metres, float (B, H, W).
        valid: Where `target` is a measurement, bool (B, H, W).
        delta_m: Where the square turns into a line, in metres.
        weight: What each pixel counts, such as how far its target can be trusted, not negative,
            float (B, H, W); None for all alike.

    Returns:
        A scalar; zero when no pixel is valid.

    Raises:
        ValueError: If the shapes differ or `valid` is not bool.
    """
    check_same_shape(mean=mean, target=target, valid=valid)
    residual = _residual(mean, target, valid)
    none = torch.zeros_like(residual)
    values = F.huber_loss(residual, none, reduction='none', delta=delta_m)
    return _mean_over(valid, values, weight)


def l1(predicted: Tensor, target: Tensor, valid: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute error over valid pixels (Kendall et al. 2018, of inverse depth).

    Args:
        predicted: Predicted depth in metres or inverse depth in 1/m, float (B, H, W).
        target: Measured, in the same unit, float (B, H, W).
        valid: Where `target` is a measurement, bool (B, H, W).
        weight: What each pixel counts, such as how far its target can be trusted, not negative,
            float (B, H, W); None for all alike.

    Returns:
        A scalar in the unit of both; zero when no pixel is valid.

    Raises:
        ValueError: If the shapes differ or `valid` is not bool.
    """
    check_same_shape(predicted=predicted, target=target, valid=valid)
    return _mean_over(valid, _residual(predicted, target, valid).abs(), weight)


def offset_l1(offsets: Tensor, target: Tensor, on_instance: Tensor) -> Tensor:
    """L1 distance between offsets to the centroid, averaged over pixels of instances.

    |Δx| + |Δy| (Kendall et al. 2018, L_Instance).

    Args:
        offsets: Predicted offsets right and down in pixels, float (B, 2, H, W).
        target: The true ones, float (B, 2, H, W).
        on_instance: Pixels that belong to an instance, bool (B, H, W).

    Returns:
        A scalar in pixels; zero when no pixel belongs to an instance.

    Raises:
        ValueError: If the shapes differ or `on_instance` is not bool.
    """
    check_same_shape(offsets=offsets, target=target)
    check_same_shape(**{'offsets right': offsets[:, 0], 'on_instance': on_instance})
    residual = _residual(offsets, target, on_instance[:, None].expand_as(offsets))
    return _mean_over(on_instance, residual.abs().sum(dim=1))


def kl_divergence(
    teacher_probabilities: Tensor, student_logits: Tensor, not_padding: Tensor
) -> Tensor:
    """KL(q‖p) from the teacher's softmax q to the student's p (EMUFormer, L_KL).

    Summed over classes, averaged over pixels. Classes with q = 0 add nothing.

    Args:
        teacher_probabilities: Mean softmax of the teacher's samples, float (B, K, H, W).
        student_logits: Student's class scores before the softmax, float (B, K, H, W).
        not_padding: Pixels of the image itself, labelled or not, bool (B, H, W).

    Returns:
        A scalar in nats; zero when every pixel is padding.

    Raises:
        ValueError: If the shapes differ or `not_padding` is not bool.
    """
    check_same_shape(teacher_probabilities=teacher_probabilities, student_logits=student_logits)
    check_same_shape(**{'logits of one class': student_logits[:, 0], 'not_padding': not_padding})
    log_student = _full_precision(student_logits).log_softmax(dim=1)
    teacher = _full_precision(teacher_probabilities)
    return _mean_over(not_padding, F.kl_div(log_student, teacher, reduction='none').sum(dim=1))


def rmsle_variance(
    student_variance: Tensor, teacher_variance: Tensor, not_padding: Tensor
) -> Tensor:
    """Root mean squared logarithmic error between predictive variances (EMUFormer, L_RMSLE).

    sqrt(mean((log(σ² + 1) − log(s² + 1))²) + eps), eps = 1e-8.

    Args:
        student_variance: Student's variance s² in m², float (B, H, W).
        teacher_variance: Teacher's predictive variance σ² in m², float (B, H, W).
        not_padding: Pixels of the image itself, measured or not, bool (B, H, W).

    Returns:
        A scalar; zero when every pixel is padding.

    Raises:
        ValueError: If the shapes differ or `not_padding` is not bool.
    """
    check_same_shape(
        student_variance=student_variance,
        teacher_variance=teacher_variance,
        not_padding=not_padding,
    )
    student = _full_precision(student_variance).log1p()
    teacher = _full_precision(teacher_variance).log1p()
    mean_square = _mean_over(not_padding, (teacher - student).square())
    return (mean_square + RMSLE_EPSILON).sqrt() * not_padding.any()


def _full_precision(values: Tensor) -> Tensor:
    """Half precision as fp32; fp32 and fp64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _residual(mean: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Predicted minus measured value; zero where there is no measurement, which may be NaN."""
    check_mask(valid=valid)
    return torch.where(valid, _full_precision(mean) - _full_precision(target), 0)


def _mean_over(mask: Tensor, values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of the values where the mask holds; zero, with a gradient of zero, where none does."""
    check_mask(mask=mask)
    if weight is None:
        return torch.where(mask, values, 0).sum() / mask.sum().clamp_min(1)
    check_same_shape(values=values, weight=weight)
    counted = torch.where(mask, _full_precision(weight), 0)
    return (counted * torch.where(mask, values, 0)).sum() / counted.sum().clamp_min(_LEAST_WEIGHT)
