"""Camera geometry shared by the scenes, the training data and the node."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera in pixels; pixel centres lie at integer coordinates (ROS, OpenCV).

    A point (x, y, z) of the optical frame (x right, y down, z forward) is seen at
    u = fx·x/z + cx, v = fy·y/z + cy, and the centre of the top left pixel is u = v = 0.

    Attributes:
        fx: Horizontal focal length in pixels.
        fy: Vertical focal length in pixels.
        cx: Column of the principal point in pixels.
        cy: Row of the principal point in pixels.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def resized(self, size: tuple[int, int], new_size: tuple[int, int]) -> 'Intrinsics':
        """The same camera after its image is resized, c' = (c + ½)·s − ½.

        Args:
            size: Height and width these intrinsics belong to, in pixels.
            new_size: Height and width of the resized image, in pixels.

        Raises:
            ValueError: If a size is not positive.
        """
        if min(*size, *new_size) <= 0:
            raise ValueError(
                f'cannot resize intrinsics from {size} to {new_size}: heights and widths must be '
                'positive, check the image size'
            )
        rows, columns = new_size[0] / size[0], new_size[1] / size[1]
        return Intrinsics(
            fx=self.fx * columns,
            fy=self.fy * rows,
            cx=(self.cx + 0.5) * columns - 0.5,
            cy=(self.cy + 0.5) * rows - 0.5,
        )

    def matrix(self) -> np.ndarray:
        """The camera matrix K, (3, 3) float64."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])
