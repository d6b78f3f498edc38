"""What a network is optimised with: AdamW in groups, and the schedule of their learning rates."""

import math
from collections.abc import Iterable

import torch
from torch import nn


def make_optimizer(
    network: nn.Module,
    *,
    learning_rate: float,
    head_learning_rate_factor: float,
    weight_decay: float,
    learned_weights: Iterable[nn.Parameter] = (),
    weighting_learning_rate: float = 0.0,
) -> torch.optim.AdamW:
    """AdamW for a network and the learned weights of its losses.

    Args:
        network: Of emu_model.networks or emu_model.sampling.
        learning_rate: Of the encoder.
        head_learning_rate_factor: Learning rate of the heads over the encoder's.
        weight_decay: Of all weights but norms and biases.
        learned_weights: Parameters of train.loss_weighting, which do not decay; may be none.
        weighting_learning_rate: Of these.
    """
    groups = {}
    for name, parameter in network.named_parameters():
        is_head = not name.startswith('backbone.')
        decays = parameter.ndim > 1
        groups.setdefault((is_head, decays), []).append(parameter)
    described = [
        {
            'params': parameters,
            'lr': learning_rate * (head_learning_rate_factor if is_head else 1),
            'weight_decay': weight_decay if decays else 0.0,
        }
        for (is_head, decays), parameters in groups.items()
    ]
    if learned := list(learned_weights):
        described.append({'params': learned, 'lr': weighting_learning_rate, 'weight_decay': 0.0})
    return torch.optim.AdamW(described)


def polynomial_factor(step: int, max_steps: int, *, warmup_steps: int, power: float) -> float:
    """What learning rates are multiplied by: a linear warm-up times a polynomial decay.

    Args:
        step: Steps done.
        max_steps: Steps of the run, at whose end the factor is 0.
        warmup_steps: Steps that the warm-up takes.
        power: Of the decay; 0 for none.
    """
    decay = math.pow(max(0.0, 1 - step / max_steps), power)
    return warm_up_factor(step, warmup_steps) * decay


def warm_up_factor(step: int, warmup_steps: int) -> float:
    """What learning rates are multiplied by in a linear warm-up: 1 once it is over.

    Args:
        step: Steps done.
        warmup_steps: Steps that the warm-up takes.
    """
    return min(1.0, (step + 1) / (warmup_steps + 1))
