"""Bilinear resizing whose gradient is cheap."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from emu_model.resampling import linear_taps, taps_matrix


def upsample(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize as torch.nn.functional.interpolate(mode='bilinear') does, by two matrix products.

    Bilinear interpolation is separable and linear, so that its gradient is two products more.
    PyTorch's own takes several times as long on a CPU and is not deterministic on a GPU, where
    its forward pass is the faster one.

    Args:
        values: (B, C, h, w).
        size: (height, width).

    Returns:
        (B, C, *size), of the same type as `values` and differentiable.
    """
    if values.shape[2:] == size:
        return values
    if values.is_cuda and not torch.is_grad_enabled():
        return F.interpolate(values, size=size, mode='bilinear')
    rows, columns = (
        _resize_matrix(source, target, values.dtype, values.device)
        for source, target in zip(values.shape[2:], size)
    )
    with torch.autocast(values.device.type, enabled=False):
        return rows @ (values @ columns.T)


@lru_cache(maxsize=64)
def _resize_matrix(source: int, target: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix (target, source) that resizes one axis."""
    matrix = taps_matrix(*linear_taps(source, target), source)
    with torch.inference_mode(False):  # training may come after inference
        return torch.from_numpy(matrix).to(device, dtype)
