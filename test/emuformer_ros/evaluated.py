"""Recordings with ground truth to evaluate, and the evaluation of them as users run it."""

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import IMAGE, INFO, ROS2, Sample, camera_info, image

from emuformer_ros import evaluate_bag
from emuformer_ros.bag_evaluation.frame_table import TIME_COLUMNS, read_table
from emuformer_ros.bag_evaluation.part_store import PartStore

HEIGHT, WIDTH = 48, 64
RATE_HZ = 10
CAMERA, CAMERA_INFO = '/camera/image_raw', '/camera/camera_info'
DEPTH, LABELS = '/camera/depth/image_raw', '/camera/labels/image_raw'


def picture(seed: int) -> np.ndarray:
    """A picture with smooth and sharp parts, RGB uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3)).repeat(8, 0).repeat(8, 1)
    return (coarse + rng.integers(-20, 21, coarse.shape)).clip(0, 255).astype(np.uint8)


def depth_mm(seed: int) -> np.ndarray:
    """Measured depth in millimetres, uint16, a tenth of it missing."""
    rng = np.random.default_rng(100 + seed)
    values = rng.integers(1000, 8000, (HEIGHT, WIDTH), dtype=np.uint16)
    values[rng.random(values.shape) < 0.1] = 0
    return values


def labels(seed: int) -> np.ndarray:
    """Class ids 0 to 6, uint8, a tenth unlabelled."""
    rng = np.random.default_rng(200 + seed)
    values = rng.integers(0, 7, (HEIGHT, WIDTH), dtype=np.uint8)
    values[rng.random(values.shape) < 0.1] = 255
    return values


def stamp_ns(index: int) -> int:
    return 10**9 + index * 10**9 // RATE_HZ


def samples(
    frames: int, *, truth: bool = True, info: bool = True, first: int = 0, store=ROS2
) -> list[Sample]:
    """Images, CameraInfo and ground truth of each frame; the truth comes 3 ms later."""
    found = []
    for index in range(first, first + frames):
        stamp = stamp_ns(index)
        found.append(Sample(CAMERA, IMAGE, stamp, image(picture(index), 'rgb8', stamp, store)))
        if info:
            message = camera_info(stamp, 60.0, HEIGHT, WIDTH, store)
            found.append(Sample(CAMERA_INFO, INFO, stamp, message))
        if truth:
            later = stamp + 3 * 10**6
            depth, classes = depth_mm(index), labels(index)
            found.append(Sample(DEPTH, IMAGE, later, image(depth, '16UC1', later, store)))
            found.append(Sample(LABELS, IMAGE, later, image(classes, 'mono8', later, store)))
    return found


def evaluate(*arguments: str | Path) -> int:
    """Run the command line in this process; returns the exit code."""
    return evaluate_bag.main([str(argument) for argument in arguments])


def metrics(output: Path) -> dict:
    return json.loads((output / 'metrics.json').read_text())


def rows_without_times(output: Path) -> list[dict]:
    return [
        {name: value for name, value in row.items() if name not in TIME_COLUMNS}
        for row in read_table(output / 'frames.csv')
    ]


def metrics_without_times(output: Path) -> dict:
    found = metrics(output)
    for key in ('median', 'quartiles', 'p95'):
        del found['inference_ms'][key]
    del found['wall_s']
    return found


def interrupt_after(monkeypatch: pytest.MonkeyPatch, parts: int, error: BaseException) -> None:
    """Let `parts` parts be done, and then something happen."""
    save = PartStore.save
    left = iter(range(parts))

    def save_or_stop(store, part, measured):
        if next(left, None) is None:
            raise error
        save(store, part, measured)

    monkeypatch.setattr(PartStore, 'save', save_or_stop)
