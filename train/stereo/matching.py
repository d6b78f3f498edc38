"""Disparity of a rectified pair by semi-global matching, and how distinct a match is.

Both work on the left view. The right one is the left one of the mirrored pair.
"""

import cv2
import numpy as np

_BLOCK = 5
"""Side of the window that costs are summed over, in pixels."""

_SUBPIXELS = 16
_STEP = 16
"""OpenCV searches multiples of it."""

_COST_NOISE = 2.0
"""Grey levels that sensor noise may add to a cost; keeps the margin of plain surfaces small."""


def match(left: np.ndarray, right: np.ndarray, max_disparity: int) -> np.ndarray:
    """Disparity of the left view by semi-global matching (Hirschmüller 2008, as in OpenCV).

    The search goes on to a multiple of 16 pixels; what matches best beyond the largest disparity
    counts as no match.

    Args:
        left: RGB, uint8 (H, W, 3).
        right: Likewise.
        max_disparity: Largest disparity of a match, in pixels.

    Returns:
        Pixels, float32 (H, W), 0 to `max_disparity`; NaN where nothing matched.
    """
    searched = _STEP * -(-(max_disparity + 1) // _STEP)
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=searched,
        blockSize=_BLOCK,
        P1=8 * 3 * _BLOCK**2,
        P2=32 * 3 * _BLOCK**2,
    )
    # The matcher leaves out the columns at which the largest disparity would leave the image.
    padded = [
        cv2.copyMakeBorder(image, 0, 0, searched, 0, cv2.BORDER_REPLICATE)
        for image in (left, right)
    ]
    disparity = matcher.compute(*padded)[:, searched:].astype(np.float32) / _SUBPIXELS
    matched = (disparity >= 0) & (disparity <= max_disparity)
    return np.where(matched, disparity, np.float32(np.nan))


def matching_margin(
    left: np.ndarray, right: np.ndarray, disparity: np.ndarray, max_disparity: int
) -> np.ndarray:
    """How much worse the best other match is: (C₂ − C₁)/(C₂ + noise), not below 0.

    C₁ is the least cost within a pixel of the disparity, C₂ the least elsewhere; costs are mean
    absolute grey differences over a window. Zero means that something else looks as much alike.

    Args:
        left: RGB, uint8 (H, W, 3).
        right: Likewise.
        disparity: Of the left view in pixels, float (H, W); NaN where there is none.
        max_disparity: Largest disparity that counts as another match, in pixels.

    Returns:
        float32 (H, W) in 0…1; 0 where there is no disparity.
    """
    grey_left, grey_right = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (left, right))
    width = disparity.shape[1]
    chosen = np.full(disparity.shape, np.inf, np.float32)
    rival = np.full(disparity.shape, np.inf, np.float32)
    for shift in range(min(max_disparity, width - 1) + 1):
        difference = cv2.absdiff(grey_left[:, shift:], grey_right[:, : width - shift])
        cost = cv2.boxFilter(difference, cv2.CV_32F, (_BLOCK, _BLOCK))
        near = np.abs(disparity[:, shift:] - shift) <= 1
        for best, counts in ((chosen, near), (rival, ~near)):
            np.minimum(best[:, shift:], cost, out=best[:, shift:], where=counts)
    known = np.isfinite(chosen) & np.isfinite(rival)
    margin = np.zeros(disparity.shape, np.float32)
    margin[known] = (rival[known] - chosen[known]) / (rival[known] + _COST_NOISE)
    return margin.clip(0)


def mirrored(*maps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Maps (H, W, …) as a mirror shows them."""
    return tuple(np.ascontiguousarray(values[:, ::-1]) for values in maps)
