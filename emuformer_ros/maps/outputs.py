"""The node's map topics: what each needs of the engine and what it shows.

What a topic shows needs no ROS installation; the node makes messages of it with `make`, the
evaluation of bags writes it to a recording.
"""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from emu_model.overlay import blend_classes
from emu_model.prediction import Prediction
from emu_model.tasks import GROUPED_OUTPUTS
from emuformer_ros.maps.depth_limits import DepthLimits
from emuformer_ros.maps.image_serialisation import serialise_image
from emuformer_ros.maps.point_cloud import PointClouds

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo, PointCloud2
    from std_msgs.msg import Header

_IMAGE = 'sensor_msgs/msg/Image'
_CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
_POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'


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
        depth_limits: Up to which uncertainty depth is reliable; None where it is not known.
        point_clouds: Makes the clouds; where there are many, the same for all frames.
    """

    header: 'Header'
    image: np.ndarray
    size: tuple[int, int]
    prediction: Prediction
    camera_info: 'CameraInfo | None'
    palette: tuple[tuple[int, int, int], ...]
    overlay_opacity: float
    depth_limits: DepthLimits | None = None
    point_clouds: PointClouds = field(default_factory=PointClouds)

    @cached_property
    def reliable_depth(self) -> np.ndarray | None:
        """The depth, NaN where it is too uncertain; None where that is not known."""
        return self.depth_limits and self.depth_limits.reliable_depth(self.prediction)

    @cached_property
    def resized_image(self) -> np.ndarray:
        """The camera's image at the size of the maps, RGB uint8."""
        height, width = self.size
        if self.image.shape[:2] == self.size:
            return self.image
        return cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class MapTopic:
    """A topic that the node publishes for every frame, while somebody subscribes to it.

    Attributes:
        name: Relative to the node.
        msgtype: Type of its messages, such as 'sensor_msgs/msg/Image'.
        encoding: Of an Image, as sensor_msgs/image_encodings.hpp names it; empty for others.
        task: The network's task that it shows.
        needs: Outputs of the engine that it is made of, where the network has them; if it is
            limited, those of DepthLimits.needs too.
        content: What it shows of a frame: the pixels of an Image, else a whole message; None where
            the frame has none.
        description: What it shows, with the unit.
        is_limited: Whether it shows what the limits on the uncertainty leave. They are the node's
            own parameters: recordings of maps have the topics without.
    """

    name: str
    msgtype: str
    encoding: str
    task: str
    needs: tuple[str, ...]
    content: Callable[[FrameMaps], 'np.ndarray | CameraInfo | PointCloud2 | None']
    description: str
    is_limited: bool = False

    def is_of(self, tasks: Collection[str]) -> bool:
        """Whether a network with these tasks can serve it."""
        needed = {task for output in self.needs for task in GROUPED_OUTPUTS.get(output, ())}
        return needed | {self.task} <= set(tasks)

    @property
    def message_type(self) -> type:
        """The rclpy class of its messages."""
        package, _, name = self.msgtype.split('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)

    def make(self, frame: FrameMaps) -> 'bytes | CameraInfo | PointCloud2 | None':
        """What to publish of a frame: a serialised Image or a message; None where it has none."""
        content = self.content(frame)
        if content is None or not self.encoding:
            return content
        return serialise_image(content, self.encoding, frame.header)


def _map_topic(name: str, encoding: str, task: str, output: str, description: str) -> MapTopic:
    """A topic that shows one output of the engine as it is."""

    def content(frame: FrameMaps) -> np.ndarray:
        return getattr(frame.prediction, output)

    return MapTopic(f'~/{name}', _IMAGE, encoding, task, (output,), content, description)


def _confidence(frame: FrameMaps) -> np.ndarray:
    return cv2.convertScaleAbs(frame.prediction.confidence, alpha=255)


def _overlay(frame: FrameMaps) -> np.ndarray:
    classes = frame.prediction.classes
    return blend_classes(frame.resized_image, classes, frame.palette, frame.overlay_opacity)


def _camera_info(frame: FrameMaps) -> 'CameraInfo | None':
    if frame.camera_info is not None:
        frame.camera_info.header = frame.header
    return frame.camera_info


def _points(frame: FrameMaps) -> 'PointCloud2 | None':
    if frame.camera_info is None or frame.reliable_depth is None:
        return None
    return frame.point_clouds.make(
        frame.header,
        frame.camera_info,
        frame.reliable_depth,
        frame.prediction.depth_std,
        frame.resized_image,
        frame.prediction.classes,
    )


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
        '~/semantic/confidence',
        _IMAGE,
        'mono8',
        'semantic',
        ('confidence',),
        _confidence,
        'probability of the predicted class, 0 to 255 for 0 to 1',
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
    _map_topic(
        'instance/image',
        '16UC1',
        'instance',
        'instances',
        'which object each pixel belongs to, numbered from 1 in every frame anew; 0 is none',
    ),
    MapTopic(
        '~/depth/reliable',
        _IMAGE,
        '32FC1',
        'depth',
        ('depth', 'depth_std'),
        lambda frame: frame.reliable_depth,
        'the depth, NaN where an uncertainty is over its limit (`max_…` parameters)',
        is_limited=True,
    ),
    MapTopic(
        '~/points',
        _POINT_CLOUD,
        '',
        'depth',
        ('depth', 'depth_std', 'classes'),
        _points,
        'one point per pixel of `~/depth/reliable`: x, y, z, rgb, label, depth_std; only with '
        'CameraInfo',
        is_limited=True,
    ),
)
"""The topics of every camera; a network publishes those of the tasks it has."""
