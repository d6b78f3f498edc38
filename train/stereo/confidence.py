"""How far disparities can be trusted, from both views' agreement and the matches' distinctness.

    c = S((1 px − r) / 0.25 px) · S((m − 0.02) / 0.02),    S(x) = 1 / (1 + exp(−x))

r is the left-right residual (emu_model.warping) and m the matching margin (train.stereo.matching).
S is a soft threshold: next to 1 well within, ½ at the threshold, next to 0 well beyond. Pseudo-MTL
thresholds a learned confidence softly; this one needs no network of its own.
"""

import numpy as np
import torch

from emu_model.warping import View, left_right_residual
from train.stereo.matching import match, matching_margin, mirrored
from train.stereo.pairs import VIEWS, StereoPair

RESIDUAL_PX = 1.0
RESIDUAL_SOFTNESS_PX = 0.25
MARGIN = 0.02
MARGIN_SOFTNESS = 0.02

Disparities = dict[View, np.ndarray]
"""Of both views in pixels, float32 (H, W); NaN where there is none."""


def match_views(pair: StereoPair, max_disparity: int) -> Disparities:
    """Disparities of both views by semi-global matching."""
    (right,) = mirrored(match(*mirrored(pair.right, pair.left), max_disparity))
    return {'left': match(pair.left, pair.right, max_disparity), 'right': right}


def confidences(pair: StereoPair, disparities: Disparities, max_disparity: int) -> Disparities:
    """Confidence of both views' disparities, float32 (H, W) in 0…1; 0 where there is none.

    Args:
        pair: The images.
        disparities: Whatever they were made with.
        max_disparity: Largest disparity that counts as another match, in pixels.
    """
    left, right = disparities['left'], disparities['right']
    (margin,) = mirrored(
        matching_margin(*mirrored(pair.right, pair.left, right), max_disparity),
    )
    margins = {
        'left': matching_margin(pair.left, pair.right, left, max_disparity),
        'right': margin,
    }
    return {
        view: soft_threshold(RESIDUAL_PX - _residual(disparities, view), RESIDUAL_SOFTNESS_PX)
        * soft_threshold(margins[view] - MARGIN, MARGIN_SOFTNESS)
        for view in VIEWS
    }


def soft_threshold(excess: np.ndarray, softness: float) -> np.ndarray:
    """1 / (1 + exp(−excess/softness)), of the same shape; 0 for an excess of −inf."""
    with np.errstate(over='ignore'):
        return 1 / (1 + np.exp(-excess / np.float32(softness)))


def _residual(disparities: Disparities, view: View) -> np.ndarray:
    other = 'right' if view == 'left' else 'left'
    maps = (torch.from_numpy(disparities[name])[None] for name in (view, other))
    return left_right_residual(*maps, view)[0].numpy()
