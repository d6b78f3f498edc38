"""Checks that losses and metrics share: maps of the same pixels, masks that are masks."""

import torch
from torch import Tensor


def check_same_shape(**maps: Tensor | None) -> None:
    """Refuse maps that do not line up, which broadcasting would otherwise combine wrongly.

    Args:
        maps: Maps by the name to call them in the message; None where there is none.

    Raises:
        ValueError: If two of the shapes differ.
    """
    shapes = {name: tuple(value.shape) for name, value in maps.items() if value is not None}
    if len(set(shapes.values())) > 1:
        listed = ', '.join(f'{name} {shape}' for name, shape in shapes.items())
        raise ValueError(f'maps differ in shape ({listed}): give maps of the same pixels')


def check_mask(**masks: Tensor) -> None:
    """Refuse masks that are not bool: integers would be taken for indices or weights.

    Raises:
        ValueError: If a mask has another dtype.
    """
    for name, mask in masks.items():
        if mask.dtype != torch.bool:
            raise ValueError(f'{name} is {mask.dtype}, expected torch.bool: pass {name} > 0')
