"""What a network says about both views of a pair, held together (Pseudo-MTL, eq. 3 to 10)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from emu_model import losses
from emu_model.warping import View, is_visible, warp

Distance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of a prediction from a target, both (B, C, H, W), weighted by (B, H, W): a scalar."""

_WHOLLY = 0.999
"""Share of a sampled value that must come from labelled pixels."""


@dataclass(frozen=True)
class CrossViewWeights:
    """Weights of the parts of a cross-view term.

    Attributes:
        both: α_lr, of the two predictions against each other.
        left: α_l, of what is compared in the left view with a label on one side.
        right: α_r, likewise in the right view.
    """

    both: float
    left: float
    right: float


DEPTH_WEIGHTS = CrossViewWeights(both=0.5, left=1.0, right=1.0)
SEMANTIC_WEIGHTS = CrossViewWeights(both=0.5, left=1.5, right=1.5)
"""The published ones."""


@dataclass(frozen=True)
class Views:
    """Maps of both views.

    Attributes:
        left: float (B, C, H, W).
        right: Likewise.
    """

    left: Tensor
    right: Tensor

    def of(self, view: View) -> Tensor:
        """The map of a view."""
        return self.left if view == 'left' else self.right


class Correspondence:
    """Which pixels of the views show the same, and how far that can be trusted.

    Args:
        disparities: Of each view in pixels, float (B, 1, H, W); NaN where unknown.
        confidences: How far they can be trusted, float (B, 1, H, W) in 0…1.
    """

    def __init__(self, disparities: Views, confidences: Views) -> None:
        self._disparities = disparities
        self._confidences = confidences

    def warped(self, maps: Views, view: View) -> Tensor:
        """The other view's map as `view` would see it, (B, C, H, W)."""
        return warp(maps.of(_other(view)), self._disparities.of(view)[:, 0], view).values

    def weight(self, view: View) -> Tensor:
        """The confidence of a view's pixels, (B, H, W); 0 where the other view lacks them."""
        disparity, other = (self._disparities.of(name)[:, 0] for name in (view, _other(view)))
        visible = is_visible(disparity, other, view)
        return self._confidences.of(view)[:, 0] * visible


def cross_view_loss(
    distance: Distance,
    predictions: Views,
    labels: Views,
    labelled: Views,
    correspondence: Correspondence,
    weights: CrossViewWeights,
) -> Tensor:
    """α_lr·L_lr + α_l·L_l + α_r·L_r.

    With G the warp into a view: L_lr holds each view's prediction against G(the other prediction);
    L_l and L_r, in the left and the right view, its label against G(the other prediction) and its
    prediction against G(the other label).

    Args:
        distance: Of a prediction from a target.
        predictions: The network's.
        labels: What it is trained on.
        labelled: 1 where there is a label and 0 elsewhere, float (B, 1, H, W).
        correspondence: Of the views.
        weights: Of the three parts.

    Returns:
        A scalar.
    """
    total = 0.0
    for view, alone in (('left', weights.left), ('right', weights.right)):
        weight = correspondence.weight(view)
        prediction, label = predictions.of(view), labels.of(view)
        other = correspondence.warped(predictions, view)
        other_label = correspondence.warped(labels, view)
        has_other = correspondence.warped(labelled, view)[:, 0] > _WHOLLY
        total = total + weights.both * distance(prediction, other, weight)
        total = total + alone * distance(other, label, weight * labelled.of(view)[:, 0])
        total = total + alone * distance(prediction, other_label, weight * has_other)
    return total


def depth_distance(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Σ c·|d − d*| / Σ c of maps (B, 1, H, W)."""
    return losses.l1(prediction[:, 0], target[:, 0], weight > 0, weight)


def semantic_distance(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Σ c·H / Σ c of class probabilities (B, K, H, W)."""
    return losses.soft_cross_entropy(prediction, target, weight)


def one_hot(classes: Tensor, num_classes: int) -> Tensor:
    """Class ids (B, H, W) as probabilities, float (B, K, H, W); all 0 where unlabelled."""
    ids = torch.arange(num_classes, device=classes.device)
    return (classes[:, None] == ids.view(1, -1, 1, 1)).float()


def _other(view: View) -> View:
    return 'right' if view == 'left' else 'left'
