"""How a camera's image becomes the network's picture and the picture's maps become the camera's.

A CameraInfo can be a message of rclpy or of rosbags: no ROS installation is needed.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emu_model.framing import Framing, blank
from emu_model.prediction import Prediction
from emuformer_ros.geometry.rectification import Rectification

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo


@dataclass(frozen=True)
class FrameGeometry:
    """The way of one image to the network, and of its maps back.

    Attributes:
        framing: The window of the (rectified) image that the network sees.
        network_size: (height, width) that the window is resized to.
        at_camera_size: Whether the maps show the whole image, at its size; otherwise the window,
            at the network's.
        rectification: How the image is rectified; None where it is not.
        camera_info: Intrinsics of the maps; None where they are not known.
    """

    framing: Framing
    network_size: tuple[int, int]
    at_camera_size: bool = True
    rectification: Rectification | None = None
    camera_info: 'CameraInfo | None' = None

    @property
    def predicted_size(self) -> tuple[int, int]:
        """(height, width) at which the engine gives the window's maps."""
        return self.framing.size if self.at_camera_size else self.network_size

    @property
    def map_size(self) -> tuple[int, int]:
        """(height, width) of the maps."""
        return self.framing.image_size if self.at_camera_size else self.network_size

    def rectified(self, image: np.ndarray) -> np.ndarray:
        """The image without distortion, where that is asked for: uint8 (H, W, 3)."""
        return self.rectification.apply(image) if self.rectification else image

    def maps(self, prediction: Prediction) -> Prediction:
        """The maps of `predicted_size` as they are published: of `map_size`.

        Unknown (emu_model.framing.blank) is what the network did not see: what was cut off,
        padding, and what the camera did not see of the rectified image.
        """
        if self.at_camera_size:
            prediction = self.framing.undo(prediction)
        unknown = self._unknown()
        return prediction if unknown is None else blank(prediction, unknown)

    def shown(self, image: np.ndarray) -> np.ndarray:
        """The part of the rectified image that the maps are of, for drawing them over it."""
        return image if self.at_camera_size else self.framing.picture(image)

    def _unknown(self) -> np.ndarray | None:
        """Where the maps mean nothing, beyond what was cut off; None where that is nowhere."""
        unknown = self.rectification.unknown if self.rectification else None
        if self.at_camera_size:
            return unknown
        unseen = self.framing.unseen(self.network_size, unknown)
        return unseen if unseen.any() else None
