"""From raw head outputs to maps in one Triton kernel per task (emu_model.maps is the plain form).

A program computes a block of pixels: it upsamples each class's logit in registers and keeps
running softmax statistics, so that nothing of classes x full size ever exists.
"""

from collections.abc import Collection

import torch
import triton
import triton.language as tl
from torch import Tensor

from emu_model.tasks import TASKS

_BLOCK = 256


def fused_maps(
    raw: dict[str, Tensor], outputs: Collection[str], size: tuple[int, int]
) -> dict[str, Tensor]:
    """The maps of raw network outputs; the same function as `emu_model.maps.predict_maps`.

    Args:
        raw: Raw outputs by task, (B, C, h, w), any float dtype and any strides.
        outputs: Names of the maps wanted (emu_model.tasks.OUTPUTS).
        size: (height, width) of the maps.

    Returns:
        The wanted maps that the raw outputs allow, each (B, *size), as in Prediction.
    """
    maps = {}
    for task, kernel in _KERNELS.items():
        wanted = [name for name in TASKS[task].outputs if name in outputs]
        if task in raw and wanted:
            maps |= _launch(kernel, raw[task], TASKS[task].outputs, wanted, size)
    return maps


def _launch(
    kernel, raw: Tensor, names: tuple[str, ...], wanted: list[str], size: tuple[int, int]
) -> dict[str, Tensor]:
    batch, channels, raw_height, raw_width = raw.shape
    height, width = size
    maps = {
        name: torch.empty(
            (batch, height, width),
            dtype=torch.uint8 if name == 'classes' else torch.float32,
            device=raw.device,
        )
        for name in wanted
    }
    grid = (triton.cdiv(height * width, _BLOCK), batch)
    kernel[grid](
        raw,
        *(maps.get(name, raw) for name in names),  # a pointer that is not written to
        *raw.stride(),
        raw_height,
        raw_width,
        height,
        width,
        channels=channels,
        **{f'with_{name}': name in maps for name in names},
        block=_BLOCK,
    )
    return maps


@triton.jit
def _source(position, source, target):
    """Low and high index and the high one's share, of a resized axis (half-pixel centres)."""
    centre = (position.to(tl.float32) + 0.5) * (source / target) - 0.5
    centre = tl.minimum(tl.maximum(centre, 0.0), source - 1.0)
    low = centre.to(tl.int32)
    high = tl.minimum(low + 1, source - 1)
    return low, high, centre - low.to(tl.float32)


@triton.jit
def _corners(pixel, raw_height, raw_width, height, width, row_stride, column_stride):
    """Offsets of the four raw values around each pixel, and their weights."""
    top, bottom, down = _source(pixel // width, raw_height, height)
    left, right, across = _source(pixel % width, raw_width, width)
    return (
        top * row_stride + left * column_stride,
        top * row_stride + right * column_stride,
        bottom * row_stride + left * column_stride,
        bottom * row_stride + right * column_stride,
        (1 - down) * (1 - across),
        (1 - down) * across,
        down * (1 - across),
        down * across,
    )


@triton.jit
def _bilinear(plane, inside, o0, o1, o2, o3, w0, w1, w2, w3):
    value = w0 * tl.load(plane + o0, mask=inside).to(tl.float32)
    value += w1 * tl.load(plane + o1, mask=inside).to(tl.float32)
    value += w2 * tl.load(plane + o2, mask=inside).to(tl.float32)
    value += w3 * tl.load(plane + o3, mask=inside).to(tl.float32)
    return value


@triton.jit
def _semantic_kernel(
    raw,
    classes,
    entropy,
    confidence,
    batch_stride,
    channel_stride,
    row_stride,
    column_stride,
    raw_height,
    raw_width,
    height,
    width,
    channels: tl.constexpr,
    with_classes: tl.constexpr,
    with_entropy: tl.constexpr,
    with_confidence: tl.constexpr,
    block: tl.constexpr,
):
    pixel = tl.program_id(0) * block + tl.arange(0, block)
    inside = pixel < height * width
    o0, o1, o2, o3, w0, w1, w2, w3 = _corners(
        pixel, raw_height, raw_width, height, width, row_stride, column_stride
    )
    plane = raw + tl.program_id(1).to(tl.int64) * batch_stride
    # Running softmax: with d = logit - highest, total = sum(exp d), weighted = sum(d exp d).
    highest = _bilinear(plane, inside, o0, o1, o2, o3, w0, w1, w2, w3)
    best = tl.zeros((block,), tl.int32)
    total = tl.full((block,), 1.0, tl.float32)
    weighted = tl.zeros((block,), tl.float32)
    for channel in range(1, channels):
        plane += channel_stride
        logit = _bilinear(plane, inside, o0, o1, o2, o3, w0, w1, w2, w3)
        best = tl.where(logit > highest, channel, best)
        if with_entropy or with_confidence:
            raised = tl.maximum(highest, logit)
            shift = highest - raised
            decay = tl.exp(shift)
            below = logit - raised
            share = tl.exp(below)
            weighted = decay * (weighted + shift * total) + below * share
            total = decay * total + share
        highest = tl.maximum(highest, logit)
    target = tl.program_id(1).to(tl.int64) * height * width + pixel
    if with_classes:
        tl.store(classes + target, best.to(tl.uint8), mask=inside)
    if with_entropy:
        value = tl.maximum(tl.log(total) - weighted / total, 0.0)
        tl.store(entropy + target, value, mask=inside)
    if with_confidence:
        tl.store(confidence + target, 1.0 / total, mask=inside)


@triton.jit
def _depth_kernel(
    raw,
    depth,
    depth_std,
    batch_stride,
    channel_stride,
    row_stride,
    column_stride,
    raw_height,
    raw_width,
    height,
    width,
    channels: tl.constexpr,
    with_depth: tl.constexpr,
    with_depth_std: tl.constexpr,
    block: tl.constexpr,
):
    pixel = tl.program_id(0) * block + tl.arange(0, block)
    inside = pixel < height * width
    o0, o1, o2, o3, w0, w1, w2, w3 = _corners(
        pixel, raw_height, raw_width, height, width, row_stride, column_stride
    )
    plane = raw + tl.program_id(1).to(tl.int64) * batch_stride
    target = tl.program_id(1).to(tl.int64) * height * width + pixel
    if with_depth:
        mean = _bilinear(plane, inside, o0, o1, o2, o3, w0, w1, w2, w3)
        tl.store(depth + target, tl.maximum(mean, 0.0), mask=inside)
    if with_depth_std:
        x = _bilinear(plane + channel_stride, inside, o0, o1, o2, o3, w0, w1, w2, w3)
        # Kahan's log(1 + e), accurate for small e; with it, softplus is exact at both ends.
        decay = tl.exp(-tl.abs(x))
        rounded = 1.0 + decay
        difference = tl.where(rounded == 1.0, 1.0, rounded - 1.0)
        log1p = tl.where(rounded == 1.0, decay, tl.log(rounded) * (decay / difference))
        softplus = tl.maximum(x, 0.0) + log1p
        tl.store(depth_std + target, tl.sqrt(softplus), mask=inside)


@triton.jit
def _instance_kernel(
    raw,
    offset_x,
    offset_y,
    batch_stride,
    channel_stride,
    row_stride,
    column_stride,
    raw_height,
    raw_width,
    height,
    width,
    channels: tl.constexpr,
    with_offset_x: tl.constexpr,
    with_offset_y: tl.constexpr,
    block: tl.constexpr,
):
    pixel = tl.program_id(0) * block + tl.arange(0, block)
    inside = pixel < height * width
    o0, o1, o2, o3, w0, w1, w2, w3 = _corners(
        pixel, raw_height, raw_width, height, width, row_stride, column_stride
    )
    plane = raw + tl.program_id(1).to(tl.int64) * batch_stride
    target = tl.program_id(1).to(tl.int64) * height * width + pixel
    if with_offset_x:
        right = _bilinear(plane, inside, o0, o1, o2, o3, w0, w1, w2, w3)
        tl.store(offset_x + target, right, mask=inside)
    if with_offset_y:
        down = _bilinear(plane + channel_stride, inside, o0, o1, o2, o3, w0, w1, w2, w3)
        tl.store(offset_y + target, down, mask=inside)


_KERNELS = {'semantic': _semantic_kernel, 'depth': _depth_kernel, 'instance': _instance_kernel}
