"""All figures of the instance task."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from emu_model.grouping import centroid_offsets, group_by_votes
from emu_model.metrics.group import MetricGroup
from emu_model.metrics.instance_precision import LEAST_PIXELS, InstancePrecision
from emu_model.metrics.streaming import PixelMeans
from emu_model.shapes import check_same_shape


class InstanceMetrics(MetricGroup):
    """How well objects are told apart.

    From the offsets: `offset_error`, the mean L1 distance in pixels between the predicted and the
    true offset to the centroid, on the pixels of objects (Kendall et al. 2018). From the instances
    that they and the classes make: `ap`, `ap50`, `class_ap` and `instances` (InstancePrecision).
    Figures whose input is never given are None.

    Args:
        things: Ids of the classes whose objects are told apart.
        least_pixels: Smaller objects are left out of the precision.
    """

    def __init__(self, things: Sequence[int], *, least_pixels: int = LEAST_PIXELS) -> None:
        super().__init__()
        self.things = tuple(things)
        self.offsets = PixelMeans('offset_error')
        self.precision = InstancePrecision(self.things, least_pixels=least_pixels)

    def update(self, offsets: Tensor, instances: Tensor) -> None:
        """Add the offsets of a batch.

        Args:
            offsets: Predicted pixels to the right and down, float (B, 2, H, W).
            instances: Ids of objects, integer (B, H, W); 0 = none.

        Raises:
            ValueError: If the shapes differ.
        """
        check_same_shape(**{'offsets right': offsets[:, 0], 'instances': instances})
        true = torch.stack(
            [torch.from_numpy(centroid_offsets(frame.cpu().numpy())) for frame in instances]
        )
        distance = (offsets - true.to(offsets.device)).abs().sum(dim=1)
        self.offsets.update([distance], instances > 0)

    def match(
        self,
        predicted: Mapping[str, Tensor],
        offsets: Tensor,
        classes: Tensor,
        instances: Tensor,
    ) -> None:
        """Add the instances of a batch, grouped by votes.

        Args:
            predicted: `classes` and `confidence`, (B, H, W).
            offsets: Predicted pixels to the right and down, float (B, 2, H, W).
            classes: Labelled class ids, integer (B, H, W), 255 for unlabelled.
            instances: Ids of objects, integer (B, H, W); 0 = none.
        """
        frames = zip(predicted['classes'], predicted['confidence'], offsets, classes, instances)
        for frame in frames:
            kind, confidence, offset, label, identity = (each.cpu().numpy() for each in frame)
            found = group_by_votes(kind, *offset, self.things)
            self.precision.update(found, kind, confidence, identity, label)
