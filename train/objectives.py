"""What each task is trained for: its losses, from a raw output and a batch to a scalar."""

from collections.abc import Callable, Mapping

import torch.nn.functional as F
from torch import Tensor

from emu_model import losses

Batch = Mapping[str, Tensor]
Objective = Callable[[Tensor, Batch], Tensor]


def semantic_cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of full-size logits (B, K, H, W)."""
    return losses.cross_entropy(logits, batch['classes'])


def depth_gnll(raw: Tensor, batch: Batch) -> Tensor:
    """Gaussian negative log-likelihood of full-size raw depth (B, 2, H, W)."""
    mean, variance = activate_depth(raw)
    return losses.gaussian_nll(mean, variance, batch['depth'], batch['depth'] > 0)


def depth_mse(raw: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of full-size raw depth (B, 2, H, W); the variance is not trained."""
    return losses.mse(activate_depth(raw)[0], batch['depth'], batch['depth'] > 0)


def depth_huber(raw: Tensor, batch: Batch) -> Tensor:
    """Huber loss of full-size raw depth (B, 2, H, W); the variance is not trained."""
    return losses.huber(activate_depth(raw)[0], batch['depth'], batch['depth'] > 0)


DEPTH_LOSSES: dict[str, Objective] = {
    'gnll': depth_gnll,
    'mse': depth_mse,
    'huber': depth_huber,
}


def activate_depth(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Depth in metres and variance in m², fp32 (B, H, W), of raw depth (B, 2, H, W)."""
    mean, variance = raw.float().unbind(dim=1)
    return mean.relu(), F.softplus(variance)
