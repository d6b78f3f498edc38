"""A synthetic drive as a recording: camera images with exact depth and classes.

    python -m emuformer_ros.synthetic_drive OUTPUT --kind street --frames 100

writes what a camera on a robot would have recorded, as a rosbag2 (MCAP), and beside it the ground
truth that `emu_model.scenes` knows. It needs no ROS installation.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from emu_model import scenes
from emuformer_ros.arguments import count, image_size, positive, seed
from emuformer_ros.bags.reading import typestore
from emuformer_ros.bags.writing import McapBag, write_bag
from emuformer_ros.maps.image_serialisation import serialise_image

IMAGE_TOPIC = '/camera/image_raw'
CAMERA_INFO_TOPIC = '/camera/camera_info'
DEPTH_TOPIC = '/camera/depth/image_raw'
LABELS_TOPIC = '/camera/labels/image_raw'

FRAME_ID = 'camera_optical_frame'

START_NS = 1_700_000_000 * 10**9
"""Stamp of the first frame: fixed, so that the same drive is always the same recording."""

_TOPIC_TYPES = {
    IMAGE_TOPIC: 'sensor_msgs/msg/Image',
    CAMERA_INFO_TOPIC: 'sensor_msgs/msg/CameraInfo',
    DEPTH_TOPIC: 'sensor_msgs/msg/Image',
    LABELS_TOPIC: 'sensor_msgs/msg/Image',
}


@dataclass(frozen=True)
class Drive:
    """What to record.

    Attributes:
        kind: 'street' or 'indoor'.
        frames: Number of frames.
        rate_hz: Frames a second.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        seed: Which scene, and which way through it.
        shift: A change away from what networks are trained on, one of `scenes.SHIFTS`, or none.
    """

    kind: str = 'street'
    frames: int = 100
    rate_hz: float = 10.0
    height: int = 240
    width: int = 320
    seed: int = 1
    shift: str | None = None


def write_drive(
    path: str | Path, drive: Drive, on_frame: Callable[[], None] = lambda: None
) -> None:
    """Render a drive and write it as a rosbag2 with MCAP storage.

    Topics: the image (rgb8) with CameraInfo, the depth (32FC1, metres along the optical axis,
    infinite where there is no surface) and the class ids of `scenes.LABELS` (mono8, 255 =
    unlabelled). All messages of a frame have the same stamp.

    Args:
        path: The folder to write, or a file that ends in .mcap; a recording there is replaced.
        drive: What to record.
        on_frame: Called after each frame, to show progress.

    Raises:
        FileExistsError: If `path` is taken by something else than a recording.
    """
    frames = scenes.drive(
        drive.kind,
        drive.seed,
        drive.frames,
        drive.rate_hz,
        drive.height,
        drive.width,
        shift=drive.shift,
    )
    with write_bag(path) as bag:
        for topic, msgtype in _TOPIC_TYPES.items():
            bag.add_topic(topic, msgtype)
        for index, frame in enumerate(frames):
            _write_frame(bag, frame, START_NS + round(index * 1e9 / drive.rate_hz))
            on_frame()


def _write_frame(bag: McapBag, frame: scenes.Frame, stamp_ns: int) -> None:
    header = _header(stamp_ns)
    info = _camera_info(frame, header)
    messages = {
        CAMERA_INFO_TOPIC: typestore().serialize_cdr(info, _TOPIC_TYPES[CAMERA_INFO_TOPIC]),
        IMAGE_TOPIC: serialise_image(frame.image, 'rgb8', header),
        DEPTH_TOPIC: serialise_image(frame.depth, '32FC1', header),
        LABELS_TOPIC: serialise_image(frame.classes, 'mono8', header),
    }
    for topic, message in messages.items():
        bag.write(topic, stamp_ns, message)


def _camera_info(frame: scenes.Frame, header: Any) -> Any:
    types = typestore().types
    height, width = frame.depth.shape
    k = frame.intrinsics
    return types['sensor_msgs/msg/CameraInfo'](
        header=header,
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=np.array([k.fx, 0, k.cx, 0, k.fy, k.cy, 0, 0, 1], np.float64),
        r=np.eye(3).ravel(),
        p=np.array([k.fx, 0, k.cx, 0, 0, k.fy, k.cy, 0, 0, 0, 1, 0], np.float64),
        binning_x=0,
        binning_y=0,
        roi=types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False),
    )


def _header(stamp_ns: int) -> Any:
    types = typestore().types
    stamp = types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
    return types['std_msgs/msg/Header'](stamp=stamp, frame_id=FRAME_ID)


def main(arguments: list[str] | None = None) -> int:
    """Write the drive that the command line describes."""
    default = Drive()
    parser = argparse.ArgumentParser(
        prog='python -m emuformer_ros.synthetic_drive',
        description='Write a synthetic drive with ground truth as a rosbag2 (MCAP).',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('output', type=Path, help='folder to write, or a file ending in .mcap')
    parser.add_argument('--kind', choices=('street', 'indoor'), default=default.kind)
    parser.add_argument('--frames', type=count, default=default.frames)
    parser.add_argument('--rate', type=positive, default=default.rate_hz, metavar='HZ')
    parser.add_argument(
        '--size', type=image_size, default=(default.height, default.width), metavar='HxW',
        help='height and width in pixels',
    )  # fmt: skip
    parser.add_argument('--seed', type=seed, default=default.seed, help='which scene')
    parser.add_argument('--shift', choices=sorted(scenes.SHIFTS), help='change the scene so')
    chosen = parser.parse_args(arguments)
    drive = Drive(chosen.kind, chosen.frames, chosen.rate, *chosen.size, chosen.seed, chosen.shift)
    try:
        with Progress() as progress:
            task = progress.add_task('Rendering', total=drive.frames)
            write_drive(chosen.output, drive, lambda: progress.advance(task))
    except OSError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
