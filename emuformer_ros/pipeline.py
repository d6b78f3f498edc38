"""From a camera's image to the maps that somebody subscribes to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emu_model.engines import Engine
from emuformer_ros.camera_info import CameraInfoError, rescale
from emuformer_ros.camera_input import CameraInput
from emuformer_ros.frame_statistics import FrameStatistics
from emuformer_ros.image_conversion import ImageError, to_rgb
from emuformer_ros.metric_depth import calibrate_depth, depth_scale
from emuformer_ros.outputs import FrameMaps, MapTopic

_THROTTLE_S = 2.0

_INFO_PATIENCE_S = 1.0
"""How long the first frame waits for the CameraInfo that comes along with it."""


@dataclass(frozen=True)
class Frame:
    """An image message and when it arrived, in seconds of time.monotonic."""

    message: Image | CompressedImage
    arrival_s: float


class Pipeline:
    """Makes and publishes the maps of one camera's images, in the worker thread.

    Args:
        engine: Runs the network.
        camera: Where the images come from.
        publishers: The topics that the network can serve.
        parameter: Gives the present value of a parameter that may change at any time.
        statistics: Counts what happens to the frames.
        logger: The node's.

    Attributes:
        depth_scale: What depth is multiplied by: the camera's focal length over the
            checkpoint's, both at network size; 1 where one of them is not known.
        info_problem: Why the camera's focal length is not known; empty where it is.
    """

    def __init__(
        self,
        engine: Engine,
        camera: CameraInput,
        publishers: dict[MapTopic, Publisher],
        parameter: Callable[[str], Any],
        statistics: FrameStatistics,
        logger: RcutilsLogger,
    ) -> None:
        self.depth_scale = 1.0
        self.info_problem = ''
        self._engine = engine
        self._camera = camera
        self._publishers = publishers
        self._parameter = parameter
        self._statistics = statistics
        self._logger = logger
        self._info_patience_s = _INFO_PATIENCE_S

    def subscribers(self) -> dict[MapTopic, int]:
        """The topics that somebody subscribes to now, with the number of subscribers."""
        counts = {
            topic: publisher.get_subscription_count()
            for topic, publisher in self._publishers.items()
        }
        return {topic: count for topic, count in counts.items() if count > 0}

    def process(self, frame: Frame) -> None:
        """Publish what is subscribed to of a frame; what goes wrong is counted and logged."""
        wanted = list(self.subscribers())
        if not wanted:
            self._statistics.skip()
            return
        try:
            self._publish(self._run(frame.message, wanted), wanted)
        except ImageError as error:
            self._refuse(str(error))
        except Exception as error:  # whatever a runtime raises, the next frame may be fine
            self._fail(f'{type(error).__name__}: {error}')
        else:
            self._statistics.process(time.monotonic() - frame.arrival_s)

    def _run(self, message: Image | CompressedImage, wanted: list[MapTopic]) -> FrameMaps:
        image = to_rgb(message)
        image_size = image.shape[:2]
        network_size = self._engine.network_size or image_size
        size = image_size if self._parameter('output_size') == 'camera' else network_size
        info = None
        if any(topic.task == 'depth' for topic in wanted):
            info = self._calibrate(image_size, network_size)
        needs = {output for topic in wanted for output in topic.needs}
        prediction = self._engine.predict(image, tuple(needs), size)
        return FrameMaps(
            header=message.header,
            image=image,
            size=size,
            prediction=calibrate_depth(
                prediction, self._engine.info.depth_range_m, self.depth_scale
            ),
            camera_info=info and rescale(info, image_size, size),
            palette=self._engine.info.palette,
            overlay_opacity=self._parameter('overlay_opacity'),
        )

    def _publish(self, maps: FrameMaps, wanted: list[MapTopic]) -> None:
        for topic in wanted:
            message = topic.make(maps)
            if message is not None:
                self._publishers[topic].publish(message)

    def _calibrate(
        self, image_size: tuple[int, int], network_size: tuple[int, int]
    ) -> CameraInfo | None:
        """Take over the camera's focal length; returns its CameraInfo, None if it has none."""
        info = self._camera.info(self._info_patience_s)
        self._info_patience_s = 0.0
        calibrated_px = self._engine.info.focal_length_px
        try:
            if info is None:
                raise CameraInfoError('none has arrived: publish it')
            self.depth_scale = depth_scale(info, image_size, network_size, calibrated_px)
        except CameraInfoError as error:
            self.depth_scale = 1.0
            self._report_info_problem(str(error), image_size, network_size)
            return None
        self.info_problem = ''
        return info

    def _report_info_problem(
        self, reason: str, image_size: tuple[int, int], network_size: tuple[int, int]
    ) -> None:
        """Say, once for every reason, what focal length the depth now rests on."""
        problem = f"no CameraInfo for the depth on '{self._camera.info_topic}': {reason}"
        calibrated_px = self._engine.info.focal_length_px
        if calibrated_px:
            assumed_px = calibrated_px * np.sqrt(np.prod(image_size) / np.prod(network_size))
            problem += (
                f'; the depth assumes a focal length of {assumed_px:.1f} px at '
                f'{image_size[1]}x{image_size[0]} pixels'
            )
        if problem != self.info_problem:
            self._logger.warning(problem)
        self.info_problem = problem

    def _refuse(self, reason: str) -> None:
        count = self._statistics.refuse(reason)
        self._logger.error(
            f"cannot use an image on '{self._camera.image_topic}': {reason} ({count} so far)",
            throttle_duration_sec=_THROTTLE_S,
        )

    def _fail(self, reason: str) -> None:
        if not rclpy.ok():  # nothing can be published while the process shuts down
            return
        count = self._statistics.fail(reason)
        self._logger.error(
            f"cannot process an image on '{self._camera.image_topic}': {reason} ({count} so far)",
            throttle_duration_sec=_THROTTLE_S,
        )
