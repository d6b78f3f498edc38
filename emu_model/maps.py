"""From raw head outputs to maps, in PyTorch: the reference form that fast engines must match."""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from emu_model.tasks import TASKS


def predict_maps(
    raw: dict[str, Tensor], outputs: Collection[str], size: tuple[int, int]
) -> dict[str, Tensor]:
    """The maps of raw network outputs: upsampled to full size first, activated after.

    Args:
        raw: Raw outputs by task, (B, C, h, w).
        outputs: Names of the maps wanted (emu_model.tasks.OUTPUTS).
        size: (height, width) of the maps.

    Returns:
        The wanted maps that the raw outputs allow, each (B, *size), as in Prediction, but for
        what emu_model.engines.finishing makes of them.
    """
    maps = {}
    for task, activate in _ACTIVATIONS.items():
        if task in raw and not set(outputs).isdisjoint(TASKS[task].outputs):
            full = F.interpolate(raw[task].float(), size=size, mode='bilinear')
            maps |= activate(full, outputs)
    return maps


def semantic_maps(logits: Tensor, outputs: Collection[str]) -> dict[str, Tensor]:
    """Classes, softmax entropy in nats and highest probability of logits (B, K, H, W)."""
    maps = {}
    if 'classes' in outputs:
        maps['classes'] = logits.argmax(dim=1).to(torch.uint8)
    if 'entropy' in outputs:
        log_probabilities = logits.log_softmax(dim=1)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
        maps['entropy'] = entropy.clamp_min(0)
    if 'confidence' in outputs:
        maps['confidence'] = logits.softmax(dim=1).amax(dim=1)
    return maps


def depth_maps(raw: Tensor, outputs: Collection[str]) -> dict[str, Tensor]:
    """Depth (mean through ReLU) and its std (root of softplus) of raw depth (B, 2, H, W).

    Of the inverse depth, if that is the network's target.
    """
    maps = {}
    if 'depth' in outputs:
        maps['depth'] = raw[:, 0].relu()
    if 'depth_std' in outputs:
        maps['depth_std'] = F.softplus(raw[:, 1]).sqrt()
    return maps


def instance_maps(raw: Tensor, outputs: Collection[str]) -> dict[str, Tensor]:
    """Offsets to the centroid, which are the raw output (B, 2, H, W) itself."""
    named = zip(TASKS['instance'].outputs, raw.unbind(dim=1))
    return {name: value for name, value in named if name in outputs}


_ACTIVATIONS = {'semantic': semantic_maps, 'depth': depth_maps, 'instance': instance_maps}
