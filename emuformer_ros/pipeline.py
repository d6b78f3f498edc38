"""From cameras' images to the maps that somebody subscribes to."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger

from emu_model.batches import batch_of
from emu_model.engines import Engine
from emu_model.prediction import Prediction
from emuformer_ros.camera.camera import Camera, Frame
from emuformer_ros.camera.image_conversion import ImageError, to_rgb
from emuformer_ros.geometry.frame_geometry import FrameGeometry
from emuformer_ros.geometry.geometry_source import GeometrySource
from emuformer_ros.geometry.metric_depth import calibrate_depth
from emuformer_ros.health.engine_health import EngineHealth
from emuformer_ros.maps.depth_limits import DepthLimitError, DepthLimits, depth_limits
from emuformer_ros.maps.outputs import FrameMaps, MapTopic
from emuformer_ros.maps.point_cloud import PointClouds
from emuformer_ros.throttling import at_most_every

_THROTTLE_S = 2.0


@dataclass(frozen=True)
class _Job:
    """A frame that somebody wants maps of.

    Attributes:
        frame: The frame.
        wanted: The topics that are subscribed to.
        image: Its pixels, rectified if that is asked for, RGB uint8 (H, W, 3).
        picture: What the network sees of them, RGB uint8 (h, w, 3).
        geometry: How picture, image and maps lie to each other.
        limits: Up to which uncertainty depth is reliable; None where nobody asks, or it cannot be
            known.
    """

    frame: Frame
    wanted: list[MapTopic]
    image: np.ndarray
    picture: np.ndarray
    geometry: FrameGeometry
    limits: DepthLimits | None

    @property
    def tasks(self) -> set[str]:
        """The tasks whose maps are subscribed to."""
        return {topic.task for topic in self.wanted}

    @property
    def needs(self) -> set[str]:
        """The outputs of the engine that the maps are made of."""
        needs = {output for topic in self.wanted for output in topic.needs}
        return needs.union(self.limits.needs if self.limits else ())


class Pipeline:
    """Makes and publishes the maps of all cameras' images, in the worker thread.

    Args:
        engine: Runs the network.
        parameter: Gives the present value of a parameter that may change at any time.
        logger: The node's.
        health: Told of every run of the engine.
        is_running: Whether the node's ROS context is; once it is shut down, nothing can be
            published and no failure counts.
    """

    def __init__(
        self,
        engine: Engine,
        parameter: Callable[[str], Any],
        logger: RcutilsLogger,
        health: EngineHealth,
        is_running: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._parameter = parameter
        self._logger = logger
        self._health = health
        self._is_running = is_running
        self._geometries = GeometrySource(engine, parameter)
        self._point_clouds = PointClouds()

    def process(self, frames: Sequence[Frame]) -> None:
        """Publish what is subscribed to of frames; what goes wrong is counted and logged."""
        jobs = [job for frame in frames if (job := self._open(frame))]
        for batch in _batches(jobs):
            for job, prediction in self._predictions(batch):
                self._finish(job, prediction)

    def _predictions(self, batch: Sequence[_Job]) -> Iterator[tuple[_Job, Prediction]]:
        """Jobs with the network's maps, without those that the engine fails on, which count."""
        try:
            predictions = self._predict(batch)
        except Exception as error:  # whatever a runtime raises, the next frame may be fine
            reason = _reason(error)
        else:
            self._health.succeed()
            yield from zip(batch, predictions)
            return
        # Not before the error is gone, which holds on to what was computed.
        with contextlib.suppress(Exception):  # a runtime that is broken for good fails at this too
            self._engine.release_memory()
        if len(batch) > 1:
            self._logger.warning(
                f'{len(batch)} images at once failed ({reason}) and are tried one by one: if that '
                'goes on, lower max_batch',
                **at_most_every(_THROTTLE_S),
            )
            for job in batch:
                yield from self._predictions([job])
            return
        self._fail(batch[0].frame.camera, reason)
        self._health.fail(reason)

    def _open(self, frame: Frame) -> _Job | None:
        """What there is to do about a frame; None, with the reason counted, if nothing."""
        try:
            if wanted := list(frame.camera.subscribers()):
                return self._make_job(frame, wanted)
            frame.camera.statistics.skip()
            frame.camera.watch.reset()
        except ImageError as error:
            self._refuse(frame.camera, str(error))
        except Exception as error:  # MemoryError, RCLError at shutdown: the next may be fine
            self._fail(frame.camera, _reason(error))
        return None

    def _make_job(self, frame: Frame, wanted: list[MapTopic]) -> _Job:
        image = to_rgb(frame.message)
        is_metric = any(topic.task == 'depth' for topic in wanted)
        geometry = self._geometries.geometry(frame, image.shape[:2], is_metric)
        image = geometry.rectified(image)
        picture = geometry.framing.picture(image)
        limits = self._depth_limits(frame.camera, wanted)
        return _Job(frame, wanted, image, picture, geometry, limits)

    def _predict(self, batch: Sequence[_Job]) -> Iterable[Prediction]:
        """The network's maps of pictures of one size."""
        pictures = [job.picture for job in batch]
        needs: set[str] = set()
        for job in batch:
            needs |= job.needs
            needs |= job.frame.camera.watch.needs(job.tasks)
        predicted = self._engine.predict(
            batch_of(pictures), tuple(needs), batch[0].geometry.predicted_size
        )
        return [predicted[index] for index in range(len(batch))]

    def _finish(self, job: _Job, prediction: Prediction) -> None:
        """Publish a frame's maps."""
        frame = job.frame
        try:
            prediction = job.geometry.maps(prediction)
            self._publish(job, self._maps(job, prediction))
            # After the maps: whoever waits for them need not wait for this.
            frame.camera.watch.update(frame.time_s, prediction, job.tasks)
        except Exception as error:  # as above
            self._fail(frame.camera, _reason(error))
        else:
            frame.camera.statistics.process(time.monotonic() - frame.arrival_s)

    def _maps(self, job: _Job, prediction: Prediction) -> FrameMaps:
        camera, geometry = job.frame.camera, job.geometry
        return FrameMaps(
            header=job.frame.message.header,
            image=geometry.shown(job.image),
            size=geometry.map_size,
            prediction=calibrate_depth(
                prediction, self._engine.info.depth_range_m, camera.depth_scale
            ),
            camera_info=geometry.camera_info,
            palette=self._engine.info.palette,
            overlay_opacity=self._parameter('overlay_opacity'),
            depth_limits=job.limits,
            point_clouds=self._point_clouds,
        )

    def _depth_limits(self, camera: Camera, wanted: list[MapTopic]) -> DepthLimits | None:
        """The limits of the moment for the camera's depth scale; says once if there are none."""
        if not any(topic.is_limited for topic in wanted):
            return None
        try:
            limits = depth_limits(self._parameter, self._engine.info, camera.depth_scale)
        except DepthLimitError as error:
            if str(error) != camera.limits_problem:
                camera.logger.warning(f'no reliable depth and no points are published: {error}')
            camera.limits_problem = str(error)
            return None
        camera.limits_problem = ''
        return limits

    def _publish(self, job: _Job, maps: FrameMaps) -> None:
        for topic in job.wanted:
            message = topic.make(maps)
            if message is not None:
                job.frame.camera.publishers[topic].publish(message)

    def _refuse(self, camera: Camera, reason: str) -> None:
        count = camera.statistics.refuse(reason)
        camera.logger.error(
            f"cannot use an image on '{camera.input.image_topic}': {reason} ({count} so far)",
            **at_most_every(_THROTTLE_S),
        )

    def _fail(self, camera: Camera, reason: str) -> None:
        if not self._is_running():
            return
        count = camera.statistics.fail(reason)
        camera.logger.error(
            f"cannot process an image on '{camera.input.image_topic}': {reason} ({count} so far)",
            **at_most_every(_THROTTLE_S),
        )


def _reason(error: Exception) -> str:
    return f'{type(error).__name__}: {error}'


def _batches(jobs: Iterable[_Job]) -> Iterator[list[_Job]]:
    """The jobs by the sizes of what goes into the engine and comes out, one of each in a batch."""
    by_sizes: dict[tuple, list[_Job]] = {}
    for job in jobs:
        sizes = (job.picture.shape, job.geometry.predicted_size)
        by_sizes.setdefault(sizes, []).append(job)
    yield from by_sizes.values()
