"""What each task is trained for: its losses, from a raw output and a batch to a scalar."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from emu_model import losses
from emu_model.inverse_depth import DEPTH_TARGETS

Batch = Mapping[str, Tensor]
Objective = Callable[[Tensor, Batch], Tensor]


def semantic_cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of full-size logits (B, K, H, W)."""
    return losses.cross_entropy(logits, batch['classes'])


def depth_gnll(raw: Tensor, batch: Batch) -> Tensor:
    """Gaussian negative log-likelihood of full-size raw depth (B, 2, H, W)."""
    mean, variance = activate_depth(raw)
    return losses.gaussian_nll(mean, variance, *_measured(batch))


def depth_mse(raw: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of full-size raw depth (B, 2, H, W); the variance is not trained."""
    return losses.mse(activate_depth(raw)[0], *_measured(batch))


def depth_huber(raw: Tensor, batch: Batch) -> Tensor:
    """Huber loss of full-size raw depth (B, 2, H, W); the variance is not trained."""
    depth, measured, confidence = _measured(batch)
    return losses.huber(activate_depth(raw)[0], depth, measured, weight=confidence)


def depth_l1(raw: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error of full-size raw depth (B, 2, H, W); the variance is not trained."""
    return losses.l1(activate_depth(raw)[0], *_measured(batch))


def inverse_depth_l1(raw: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error in 1/m of full-size raw inverse depth (B, 2, H, W); likewise."""
    depth, measured, confidence = _measured(batch)
    target = torch.where(measured, depth, 1).reciprocal()
    return losses.l1(activate_depth(raw)[0], target, measured, confidence)


def instance_l1(raw: Tensor, batch: Batch) -> Tensor:
    """L1 distance of full-size offsets (B, 2, H, W) on the pixels of objects."""
    return losses.offset_l1(raw, batch['offsets'], batch['instances'] > 0)


DEPTH_LOSSES: dict[str, Objective] = {
    'gnll': depth_gnll,
    'mse': depth_mse,
    'huber': depth_huber,
    'l1': depth_l1,
}
"""Losses of depth in metres by name."""

INVERSE_DEPTH_LOSSES: dict[str, Objective] = {'l1': inverse_depth_l1}
"""Losses of inverse depth by name."""


def depth_objective(depth_target: str, depth_loss: str) -> Objective:
    """The loss of a depth head.

    Raises:
        ValueError: If the target or the loss is unknown, or they do not go together.
    """
    if depth_target not in DEPTH_TARGETS:
        raise ValueError(
            f"depth_target '{depth_target}' is unknown: choose of {', '.join(DEPTH_TARGETS)}"
        )
    if depth_loss not in DEPTH_LOSSES:
        raise ValueError(
            f"depth_loss '{depth_loss}' is unknown: choose of {', '.join(DEPTH_LOSSES)}"
        )
    if depth_target == 'depth':
        return DEPTH_LOSSES[depth_loss]
    if depth_loss not in INVERSE_DEPTH_LOSSES:
        raise ValueError(
            f"depth_target 'inverse' is not trained with depth_loss '{depth_loss}': choose "
            f"{', '.join(INVERSE_DEPTH_LOSSES)}, or depth_target 'depth'"
        )
    return INVERSE_DEPTH_LOSSES[depth_loss]


def activate_depth(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Depth in metres and variance in m², fp32 (B, H, W), of raw depth (B, 2, H, W).

    Of inverse depth, in 1/m and 1/m², if that is the target.
    """
    mean, variance = raw.float().unbind(dim=1)
    return mean.relu(), F.softplus(variance)


def _measured(batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
    """Depth in metres, where there is one, and how far it can be trusted, if the batch says so."""
    return batch['depth'], batch['depth'] > 0, batch.get('confidence')
