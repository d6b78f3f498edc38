"""What a network says about an image: the maps, as NumPy arrays."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The maps of one image (H, W), or of a batch (B, H, W); None where a map was not asked for.

    Attributes:
        classes: Class ids, uint8.
        entropy: Predictive entropy of the softmax in nats, float32: the semantic uncertainty.
        confidence: Highest class probability, float32.
        depth: Distance along the optical axis in metres, float32.
        depth_std: Predictive standard deviation of the depth in metres, float32.
        mutual_information: Of the class and the sample in nats, float32: the epistemic share of
            `entropy`. From networks that take several samples alone.
        depth_epistemic_std: Standard deviation of the samples' depths in metres, float32: the
            epistemic share of `depth_std`. Likewise.
        offset_x: Pixels of this map from here to the centroid of the object that the pixel
            belongs to, to the right, float32; of no meaning where there is no object.
        offset_y: The same downwards.
        instances: Which object each pixel belongs to, uint16 from 1 on; 0 = none.
    """

    classes: np.ndarray | None = None
    entropy: np.ndarray | None = None
    confidence: np.ndarray | None = None
    depth: np.ndarray | None = None
    depth_std: np.ndarray | None = None
    mutual_information: np.ndarray | None = None
    depth_epistemic_std: np.ndarray | None = None
    offset_x: np.ndarray | None = None
    offset_y: np.ndarray | None = None
    instances: np.ndarray | None = None

    @property
    def depth_variance(self) -> np.ndarray | None:
        """Predictive variance of the depth in m², which the metrics use."""
        return None if self.depth_std is None else np.square(self.depth_std)

    def maps(self) -> dict[str, np.ndarray]:
        """The maps that are there, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    def __getitem__(self, index: int) -> 'Prediction':
        """The prediction of one image of a batch."""
        return Prediction(**{name: value[index] for name, value in self.maps().items()})
