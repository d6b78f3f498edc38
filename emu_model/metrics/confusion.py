"""Intersection over union from one confusion matrix over all images."""

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from emu_model.labels import UNLABELLED


class IntersectionOverUnion(MulticlassConfusionMatrix):
    """mIoU and the IoU of each class (Everingham et al. 2010, pooled over the data set).

    IoU_k = C_kk / (Σ_j C_kj + Σ_i C_ik − C_kk) of the confusion matrix C. A class that is neither
    labelled nor predicted anywhere has no IoU and stays out of the mean.

    Args:
        num_classes: Number of classes K, at least 1.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(
            num_classes,
            ignore_index=UNLABELLED,
            validate_args=False,  # the group has checked the ids, in one pass for all its metrics
            compute_with_cache=False,
        )

    def compute(self) -> dict[str, Tensor]:
        """`miou`, float64, and `class_iou`, float64 (K,), NaN for absent classes."""
        matrix = self.confmat.double()
        both = matrix.diagonal()
        class_iou = both / (matrix.sum(dim=0) + matrix.sum(dim=1) - both)
        return {'miou': torch.nanmean(class_iou), 'class_iou': class_iou}
