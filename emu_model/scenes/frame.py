"""A rendered picture with everything there is to know about it."""

from dataclasses import dataclass

import numpy as np

from emu_model.geometry import Intrinsics


@dataclass(frozen=True)
class Frame:
    """A picture and its exact ground truth.

    Attributes:
        image: uint8 RGB (H, W, 3).
        depth: Distance along the optical axis in metres, float32 (H, W); inf where there is no
            surface (sky).
        classes: Class ids of `LABELS`, uint8 (H, W); 255 for unknown objects.
        instances: Ids of single objects, uint16 (H, W), 0 for none; the same object keeps its
            id in all frames and both eyes.
        intrinsics: The camera, in pixels.
        baseline_m: Distance between the two eyes in metres; disparity is fx·baseline/depth.
    """

    image: np.ndarray
    depth: np.ndarray
    classes: np.ndarray
    instances: np.ndarray
    intrinsics: Intrinsics
    baseline_m: float
