"""One frame with its ground truth, as the data sets read it and the network takes it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emu_model.geometry import Intrinsics
from emu_model.grouping import centroid_offsets


@dataclass(frozen=True)
class Sample:
    """A frame between disk and batch; transforms make a new one of it.

    Attributes:
        image: RGB, uint8 (H, W, 3).
        classes: Class ids, uint8 (H, W); 255 = unlabelled.
        depth: Distance along the optical axis in metres, float32 (H, W); 0 = no measurement.
        not_padding: False where there is no image, or where a benchmark looks away, bool (H, W).
        intrinsics: The camera at this size.
        index: Number of the frame in its data set.
        instances: Ids of single objects, uint16 (H, W), 0 for none; None where they are not read.
        confidence: How far the depth can be trusted, float32 (H, W) in 0…1; None where the depth
            is measured, and counts in full.
    """

    image: np.ndarray
    classes: np.ndarray
    depth: np.ndarray
    not_padding: np.ndarray
    intrinsics: Intrinsics
    index: int
    instances: np.ndarray | None = None
    confidence: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[:2]

    def tensors(self) -> dict[str, Tensor]:
        """The sample as the default collate function batches it.

        Returns:
            `image` float32 (3, H, W) in 0…1, not normalised; `classes` int64 (H, W); `depth`
            float32 (H, W) in metres; `not_padding` bool (H, W); `intrinsics` float32 (4,), that is
            fx, fy, cx, cy in pixels; `index` int64 (). Where instances are read: `instances`
            int64 (H, W), and `offsets` float32 (2, H, W), pixels to the right and down from here
            to the centroid of what this sample shows of the pixel's object. Where the depth is
            not measured: `confidence` float32 (H, W) in 0…1.
        """
        camera = self.intrinsics
        tensors = {
            'image': torch.from_numpy(_planes(self.image)).float().div_(255),
            'classes': torch.from_numpy(np.ascontiguousarray(self.classes)).long(),
            'depth': torch.from_numpy(np.ascontiguousarray(self.depth, np.float32)),
            'not_padding': torch.from_numpy(np.ascontiguousarray(self.not_padding)),
            'intrinsics': torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy]),
            'index': torch.tensor(self.index),
        }
        if self.instances is not None:
            ids = np.ascontiguousarray(self.instances).astype(np.int64)
            tensors['instances'] = torch.from_numpy(ids)
            tensors['offsets'] = torch.from_numpy(centroid_offsets(ids))
        if self.confidence is not None:
            confidence = np.ascontiguousarray(self.confidence, np.float32)
            tensors['confidence'] = torch.from_numpy(confidence)
        return tensors


def _planes(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(2, 0, 1))
