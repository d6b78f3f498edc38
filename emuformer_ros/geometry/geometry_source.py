"""What is known of a camera's geometry: from its CameraInfo, and what is assumed without."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo

from emu_model.engines import Engine
from emu_model.framing import Framing, frame_window
from emuformer_ros.camera.camera import Camera, Frame
from emuformer_ros.camera.image_conversion import MAX_PIXELS, ImageError
from emuformer_ros.geometry.camera_info import CameraInfoError, described_size, rescale
from emuformer_ros.geometry.frame_geometry import FrameGeometry
from emuformer_ros.geometry.metric_depth import depth_scale
from emuformer_ros.geometry.rectification import Rectification, Rectifier, rectified_info

_INFO_PATIENCE_S = 1.0
"""How long a camera's first frame of a size waits for the CameraInfo that comes along with it."""

_SAY_AGAIN_S = 60.0
"""How long what has been said of a camera is not said again, however often it comes and goes."""

_MAX_WINDOW_PIXELS = 2 * MAX_PIXELS
"""Of an image with its padding: that of a narrow strip would fill memory."""


class GeometrySource:
    """Gives the geometry of frames, and keeps the cameras' depth scale up to date.

    Args:
        engine: Runs the network.
        parameter: Gives the present value of a parameter that may change at any time.
    """

    def __init__(self, engine: Engine, parameter: Callable[[str], Any]) -> None:
        self._engine = engine
        self._parameter = parameter
        self._rectifiers: dict[Camera, Rectifier] = {}
        self._sizes: dict[Camera, tuple[int, int]] = {}  # of the latest image
        # What no CameraInfo came for in time: images of a size, or any (None).
        self._awaited_in_vain: set[tuple[Camera, tuple[int, int] | None]] = set()
        self._said_s: dict[tuple[Camera, str], float] = {}

    def geometry(
        self, frame: Frame, image_size: tuple[int, int], is_metric: bool
    ) -> FrameGeometry:
        """The way of a frame to the network and back.

        Args:
            frame: The frame.
            image_size: (height, width) of its image.
            is_metric: Whether its depth is wanted, which needs the camera's focal length.

        Raises:
            ImageError: If the image is too small for the network, or with its padding too large;
                if it is to be rectified and the camera's CameraInfo does not allow it.
        """
        network_size = self._engine.network_size or image_size
        framing = frame_window(image_size, network_size, self._parameter('resize_mode'))
        self._check(framing)
        at_camera_size = self._parameter('output_size') == 'camera'
        size = image_size if at_camera_size else network_size
        rectification, info = None, None
        if self._parameter('rectify'):
            rectification = self._rectification(frame, image_size)
            info = rectification.camera_info
        elif is_metric:
            info = self._info(frame, image_size)
        if is_metric:
            info = self._calibrate(frame.camera, info, framing, network_size)
        maps_info = info and rescale(info, image_size, size, None if at_camera_size else framing)
        return FrameGeometry(framing, network_size, at_camera_size, rectification, maps_info)

    def _check(self, framing: Framing) -> None:
        """Refuse what the network cannot take, or memory."""
        try:
            self._engine.check_size(framing.image_size)
        except ValueError as error:
            raise ImageError(str(error)) from error
        height, width = framing.size
        if height * width > _MAX_WINDOW_PIXELS:
            raise ImageError(
                f"padded to the shape of the network's picture it would be {width}x{height}, more "
                f"than {_MAX_WINDOW_PIXELS} pixels: set the parameter resize_mode to 'resize' or "
                "'crop'"
            )

    def _info(self, frame: Frame, image_size: tuple[int, int]) -> CameraInfo | None:
        """The camera's latest CameraInfo.

        A frame of another size than the one before, as of a camera that was started again in
        another mode, waits until it is of that size. Where that was in vain, frames of the size
        do not wait again before it has come, nor any where none came at all: all cameras have to
        wait with them.
        """
        camera, of_size, of_any = frame.camera, (frame.camera, image_size), (frame.camera, None)
        changed = self._sizes.get(camera) != image_size
        self._sizes[camera] = image_size
        waits = changed and self._awaited_in_vain.isdisjoint((of_size, of_any))

        def fits(info: CameraInfo) -> bool:
            return described_size(info) == image_size

        info = camera.input.info(frame.arrival_s + _INFO_PATIENCE_S if waits else 0.0, fits)
        if info is not None:
            self._awaited_in_vain.discard(of_any)
        if info is not None and fits(info):
            self._awaited_in_vain.discard(of_size)
        elif waits:
            self._awaited_in_vain.add(of_any if info is None else of_size)
        return info

    def _rectification(self, frame: Frame, image_size: tuple[int, int]) -> Rectification:
        rectifier = self._rectifiers.setdefault(frame.camera, Rectifier())
        try:
            info = _required(self._info(frame, image_size), frame.camera)
            return rectifier.rectification(info, image_size)
        except CameraInfoError as error:
            raise ImageError(
                f"it cannot be rectified by the CameraInfo on '{frame.camera.input.info_topic}': "
                f'{error}, or set the parameter rectify to false'
            ) from error

    def _calibrate(
        self,
        camera: Camera,
        info: CameraInfo | None,
        framing: Framing,
        network_size: tuple[int, int],
    ) -> CameraInfo | None:
        """Take over the camera's focal length; returns the image's CameraInfo, None without."""
        calibrated_px = self._engine.info.focal_length_px
        try:
            info = _required(info, camera)
            if self._parameter('image_is_rectified'):
                info = rectified_info(info)
            camera.depth_scale = depth_scale(
                info, framing.image_size, network_size, calibrated_px, framing
            )
        except CameraInfoError as error:
            camera.depth_scale = 1.0
            self._report_problem(camera, str(error), framing, network_size)
            return None
        camera.info_problem = ''
        return info

    def _report_problem(
        self, camera: Camera, reason: str, framing: Framing, network_size: tuple[int, int]
    ) -> None:
        """Say, when the reason changes, what focal length the depth now rests on."""
        problem = (
            f"no CameraInfo for the depth on '{camera.input.info_topic}': {reason}; no points are "
            'published'
        )
        calibrated_px = self._engine.info.focal_length_px
        if calibrated_px:
            assumed_px = calibrated_px * np.sqrt(np.prod(framing.size) / np.prod(network_size))
            height, width = framing.image_size
            problem += (
                f'; the depth assumes a focal length of {assumed_px:.1f} px at '
                f'{width}x{height} pixels'
            )
        now_s = time.monotonic()
        said_s = self._said_s.get((camera, problem), -math.inf)
        if problem != camera.info_problem and now_s - said_s > _SAY_AGAIN_S:
            self._said_s[camera, problem] = now_s
            camera.logger.warning(problem)
        camera.info_problem = problem


def _required(info: CameraInfo | None, camera: Camera) -> CameraInfo:
    if info is None:
        raise CameraInfoError(camera.input.why_no_info())
    return info
