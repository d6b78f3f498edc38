"""Rectified stereo: disparity from depth, and maps of one view as the other view sees them.

A point at column x of the left image lies at column x − d of the right one, in the same row, with
the disparity d = f·B/z − doffs of its depth z. doffs is how far the principal point of the right
camera lies to the right of the left one's, 0 for most rectified pairs. The warp G(a; b) is
that of Pseudo-MTL (Pseudo Label-Guided Multi Task Learning for Scene Understanding, 2020).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from emu_model.shapes import check_same_shape

View = Literal['left', 'right']

_DIRECTIONS = {'left': -1.0, 'right': 1.0}
"""Where a view finds its points in the other one: left at x − d, right at x + d."""


@dataclass(frozen=True)
class Warped:
    """Maps of one view, sampled where the pixels of the other view are seen.

    Attributes:
        values: float (B, C, H, W); of no meaning outside of `in_frame`.
        in_frame: Where the disparity is known and leads into the image, bool (B, H, W).
    """

    values: Tensor
    in_frame: Tensor


def disparity_from_depth(depth: Tensor, focal_baseline: Tensor, doffs: Tensor) -> Tensor:
    """Disparity in pixels, f·B/z − doffs, differentiable.

    Args:
        depth: z in metres, float (B, H, W). Zero, negative or not finite is no depth.
        focal_baseline: Focal length times distance of the cameras in px·m, float (B,).
        doffs: Columns between the principal points in pixels, float (B,).

    Returns:
        float (B, H, W); NaN where there is no depth.
    """
    known = depth.isfinite() & (depth > 0)
    # Chosen before the division too: the gradient of a division by zero survives a later choice.
    inverse = torch.where(known, depth, 1).reciprocal()
    disparity = focal_baseline.view(-1, 1, 1) * inverse - doffs.view(-1, 1, 1)
    return torch.where(known, disparity, torch.nan)


def warp(values: Tensor, disparity: Tensor, view: View) -> Warped:
    """G(a; b): maps of the other view as `view` would see them, bilinear along the row.

    Differentiable with respect to the maps and to the disparity.

    Args:
        values: a: maps of the other view, float (B, C, H, W); probabilities stay probabilities.
        disparity: Disparity of `view` in pixels, not negative for points in front of both
            cameras, float (B, H, W); not finite where it is unknown.
        view: The view that the maps are wanted in.

    Returns:
        The maps, and where they mean something. Columns beyond the border repeat it.

    Raises:
        ValueError: If the sizes differ.
    """
    check_same_shape(**{'one map of values': values[:, 0], 'disparity': disparity})
    last = values.shape[-1] - 1
    known = disparity.isfinite()
    columns = torch.arange(last + 1, device=values.device, dtype=disparity.dtype)
    columns = columns + _DIRECTIONS[view] * torch.where(known, disparity, 0)
    in_frame = known & (columns >= 0) & (columns <= last)
    columns = columns.clamp(0, last)
    low = columns.detach().floor().long()
    share = (columns - low).to(values.dtype)[:, None]
    low = low[:, None].expand_as(values)
    at_low, at_high = values.gather(-1, low), values.gather(-1, (low + 1).clamp_max(last))
    return Warped(at_low + share * (at_high - at_low), in_frame)


def left_right_residual(disparity: Tensor, other: Tensor, view: View) -> Tensor:
    """How far the disparities of both views disagree about the same point, in pixels.

    Args:
        disparity: Disparity of `view`, float (B, H, W); not finite where it is unknown.
        other: Disparity of the other view, likewise.
        view: The view whose pixels are asked about.

    Returns:
        |d − G(d_other; d)|, float (B, H, W); infinite where the point is out of the other image,
        or one of the disparities is unknown.

    Raises:
        ValueError: If the sizes differ.
    """
    warped = warp(other[:, None], disparity, view)
    residual = (disparity - warped.values[:, 0]).abs()
    return torch.where(warped.in_frame & residual.isfinite(), residual, torch.inf)


def is_visible(disparity: Tensor, other: Tensor, view: View, tolerance_px: float = 1.0) -> Tensor:
    """Which pixels of a view the other one sees too, by the left-right check.

    What is hidden in the other view has a nearer surface there, with a larger disparity.

    Args:
        disparity: As for `left_right_residual`.
        other: Likewise.
        view: Likewise.
        tolerance_px: Greatest residual of a point that both views see, in pixels.

    Returns:
        bool (B, H, W).
    """
    return left_right_residual(disparity.detach(), other.detach(), view) <= tolerance_px
