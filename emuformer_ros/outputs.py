"""The node's map topics: what each needs of the engine and what it shows.

What a topic shows needs no ROS installation; the node makes messages of it with `make`, the
evaluation of bags writes it to a recording.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emu_model.overlay import blend_classes
from emu_model.prediction import Prediction
from emuformer_ros.image_conversion import to_message

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo, Image
    from std_msgs.msg import Header

_IMAGE = 'sensor_msgs/msg/Image'
_CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'


@dataclass(frozen=True)
class FrameMaps:
    """Everything that the messages of one frame are made of.

    Attributes:
        header: The image's; every message carries it unchanged.
        image: The camera's, RGB uint8 (H, W, 3).
        size: (height, width) of the maps.
        prediction: The maps; depth in metres for this camera.
        camera_info: The camera's at `size`; None where it is not known.
        palette: (red, green, blue) per class id.
        overlay_opacity: Weight of the class colours in the overlay, 0 to 1.
    """

    header: 'Header'
    image: np.ndarray
    size: tuple[int, int]
    prediction: Prediction
    camera_info: 'CameraInfo | None'
    palette: tuple[tuple[int, int, int], ...]
    overlay_opacity: float


@dataclass(frozen=True)
class MapTopic:
    """A topic that the node publishes for every frame, while somebody subscribes to it.

    Attributes:
        name: Relative to the node.
        msgtype: Type of its messages, such as 'sensor_msgs/msg/Image'.
        encoding: Of an Image, as sensor_msgs/image_encodings.hpp names it; empty for others.
        task: The network's task that it shows.
        needs: Outputs of the engine that it is made of.
        content: What it shows of a frame: the pixels of an Image, else a whole message; None where
            the frame has none.
        description: What it shows, with the unit.
    """

    name: str
    msgtype: str
    encoding: str
    task: str
    needs: tuple[str, ...]
    content: Callable[[FrameMaps], 'np.ndarray | CameraInfo | None']
    description: str

    @property
    def message_type(self) -> type:
        """The rclpy class of its messages."""
        package, _, name = self.msgtype.split('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)

    def make(self, frame: FrameMaps) -> 'Image | CameraInfo | None':
        """The rclpy message of a frame; None where the frame has none."""
        content = self.content(frame)
        if content is None or not self.encoding:
            return content
        return to_message(content, self.encoding, frame.header)


def _map_topic(name: str, encoding: str, task: str, output: str, description: str) -> MapTopic:
    """A topic that shows one output of the engine as it is."""

    def content(frame: FrameMaps) -> np.ndarray:
        return getattr(frame.prediction, output)

    return MapTopic(f'~/{name}', _IMAGE, encoding, task, (output,), content, description)


def _overlay(frame: FrameMaps) -> np.ndarray:
    height, width = frame.size
    image = frame.image
    if image.shape[:2] != frame.size:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    classes = frame.prediction.classes
    return blend_classes(image, classes, frame.palette, frame.overlay_opacity)


def _camera_info(frame: FrameMaps) -> 'CameraInfo | None':
    if frame.camera_info is not None:
        frame.camera_info.header = frame.header
    return frame.camera_info


MAP_TOPICS = (
    _map_topic('semantic/image', 'mono8', 'semantic', 'classes', 'class ids; 255 is unlabelled'),
    _map_topic(
        'semantic/uncertainty',
        '32FC1',
        'semantic',
        'entropy',
        'entropy of the predicted class probabilities, nats',
    ),
    MapTopic(
        '~/semantic/overlay',
        _IMAGE,
        'rgb8',
        'semantic',
        ('classes',),
        _overlay,
        'class colours over the camera image',
    ),
    _map_topic(
        'depth/image',
        '32FC1',
        'depth',
        'depth',
        'distance along the optical axis, metres; NaN where not positive or outside the '
        "checkpoint's range",
    ),
    MapTopic(
        '~/depth/camera_info',
        _CAMERA_INFO,
        '',
        'depth',
        (),
        _camera_info,
        "the camera's intrinsics at the size of the maps",
    ),
    _map_topic(
        'depth/uncertainty',
        '32FC1',
        'depth',
        'depth_std',
        'standard deviation of the depth, metres',
    ),
)
"""The topics of every camera; a network publishes those of the tasks it has."""
