"""Frames of a recording through an engine, as the node does it."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from emu_model.batches import batch_of
from emu_model.checkpoint import CheckpointError
from emu_model.engines import Engine, create_engine
from emu_model.prediction import Prediction
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.frames import CameraFrame, decode_camera_info
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bags.reading import BagError
from emuformer_ros.geometry.camera_info import CameraInfoError, rescale
from emuformer_ros.geometry.metric_depth import calibrate_depth, depth_scale
from emuformer_ros.geometry.rectification import rectified_info
from emuformer_ros.maps.outputs import FrameMaps

OVERLAY_OPACITY = 0.5
"""The node's default."""

_BATCH_ON_GPU = 8


@dataclass(frozen=True)
class PerceivedFrame:
    """A frame and what the network says about it.

    Attributes:
        frame: The frame.
        prediction: As the engine gives it, for the checkpoint's focal length.
        size: (height, width) of the maps.
        camera: The camera's geometry.
        inference_ms: The engine's time for it: its share of the batch.
    """

    frame: CameraFrame
    prediction: Prediction
    size: tuple[int, int]
    camera: 'CameraGeometry'
    inference_ms: float

    def metric(self) -> Prediction:
        """The prediction with depth and its std in metres for this camera; none is left out."""
        scale = np.float32(self.camera.depth_scale)
        changed = {
            name: value * scale
            for name, value in self.prediction.maps().items()
            if name in ('depth', 'depth_std', 'depth_epistemic_std')
        }
        return dataclasses.replace(self.prediction, **changed)


@dataclass(frozen=True)
class CameraGeometry:
    """What the depth of a camera rests on.

    Attributes:
        depth_scale: What the network's depth is multiplied by.
        camera_info: CameraInfo at the size of the maps; None where it is not known.
        problem: Why the camera's focal length is not known; empty where it is.
    """

    depth_scale: float = 1.0
    camera_info: Any = None
    problem: str = ''


class Perception:
    """An engine and how it is used.

    Args:
        options: The checkpoint, where it runs and at what size.

    Attributes:
        engine: Runs the network.
        batch_size: Frames at a time.

    Raises:
        EvaluationError: If the engine or the device cannot be used.
        FileNotFoundError, CheckpointError: If the checkpoint cannot be used.
    """

    def __init__(self, options: Options) -> None:
        self.engine = _create_engine(options)
        on_gpu = self.engine.device.startswith('cuda')
        self.batch_size = options.batch_size or (_BATCH_ON_GPU if on_gpu else 1)
        self._rectified = options.rectified
        self._at_network_size = options.output_size == 'network'
        self._warm: set[tuple[tuple[int, int], tuple[int, int]]] = set()
        self._camera = lru_cache(16)(self._camera_of)

    def perceive(
        self, frames: Sequence[CameraFrame], camera_infos: Sequence[bytes]
    ) -> list[PerceivedFrame]:
        """Run the network on a batch.

        Args:
            frames: Usable frames of one size.
            camera_infos: What the frames' entries refer to.
        """
        image_size = frames[0].image.shape[:2]
        size = self._output_size(image_size)
        if (image_size, size) not in self._warm:
            self.engine.predict(np.zeros((1, *image_size, 3), np.uint8), None, size)
            self._warm.add((image_size, size))
        # A network that samples draws the same for the same batch, whoever runs it and when.
        self.engine.seed(frames[0].entry.number)
        start = time.perf_counter()
        batch = self.engine.predict(batch_of([frame.image for frame in frames]), None, size)
        frame_ms = 1e3 * (time.perf_counter() - start) / len(frames)
        perceived = []
        for index, frame in enumerate(frames):
            number = frame.entry.camera_info
            data = None if number is None else camera_infos[number]
            camera = self._camera(data, image_size, size)
            perceived.append(PerceivedFrame(frame, batch[index], size, camera, frame_ms))
        return perceived

    def maps(self, perceived: PerceivedFrame) -> FrameMaps:
        """What the node's messages of a frame are made of."""
        info = self.engine.info
        camera = perceived.camera
        return FrameMaps(
            header=perceived.frame.header,
            image=perceived.frame.image,
            size=perceived.size,
            prediction=calibrate_depth(
                perceived.prediction, info.depth_range_m, camera.depth_scale
            ),
            camera_info=camera.camera_info,
            palette=info.palette,
            overlay_opacity=OVERLAY_OPACITY,
        )

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def _output_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        if self._at_network_size and self.engine.network_size:
            return tuple(self.engine.network_size)
        return image_size

    def _camera_of(
        self, data: bytes | None, image_size: tuple[int, int], size: tuple[int, int]
    ) -> CameraGeometry:
        if data is None:
            return CameraGeometry()
        network_size = self.engine.network_size or image_size
        calibrated_px = self.engine.info.focal_length_px
        try:
            info = decode_camera_info(data)
            if self._rectified:
                info = rectified_info(info)
            scale = depth_scale(info, image_size, network_size, calibrated_px)
            return CameraGeometry(scale, rescale(info, image_size, size))
        except (BagError, CameraInfoError) as error:
            return CameraGeometry(problem=f'the CameraInfo is not used: {error}')


def _create_engine(options: Options) -> Engine:
    try:
        return create_engine(
            options.checkpoint,
            options.engine,
            options.device,
            options.network_size,
            options.precision,
        )
    except CheckpointError:
        raise
    except (ValueError, ModuleNotFoundError) as error:
        raise EvaluationError(str(error)) from error


def batches(frames: Iterable[CameraFrame], size: int) -> Iterator[list[CameraFrame]]:
    """Usable frames in batches of one image size each; unusable ones alone."""
    batch: list[CameraFrame] = []
    for frame in frames:
        fits = frame.image is not None and (not batch or batch[0].image.shape == frame.image.shape)
        if batch and not fits:
            yield batch
            batch = []
        if frame.image is None:
            yield [frame]
            continue
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
