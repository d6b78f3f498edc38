"""A camera, the perception node in a process of its own, and a subscriber to its maps.

Everything goes over DDS on this machine, with the packaged Fast DDS profile at both ends. The
subscriber takes messages as they were serialised and keeps the memory that it frees, so that
neither its unpacking nor its page faults are timed.
"""

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from emu_model.memory import keep_freed_memory
from emuformer_ros.bags.reading import header_stamp_ns, with_header_stamp
from emuformer_ros.camera.image_conversion import to_message
from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.demo.isolation import free_domain_id, isolate
from emuformer_ros.health.process_usage import ProcessUsage, process_usage

MAPS = ('semantic/image', 'semantic/uncertainty', 'depth/image', 'depth/uncertainty')
_TIMED_NODE = Path(__file__).with_name('timed_node.py')
_START_TIMEOUT_S = 180.0
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


@dataclass
class SentFrame:
    """What became of a frame; all times in seconds of time.monotonic.

    Attributes:
        published_s: When the camera published it.
        arrived_s: When each map arrived, by topic.
        engine_s: When the engine started on it and when it was done; None until that is known.
    """

    published_s: float
    arrived_s: dict[str, float] = field(default_factory=dict)
    engine_s: tuple[float, float] | None = None

    @property
    def complete(self) -> bool:
        """Whether every map has arrived."""
        return len(self.arrived_s) == len(MAPS)

    @property
    def latency_s(self) -> float:
        """From publication to the arrival of the last map, of a complete frame."""
        return max(self.arrived_s.values()) - self.published_s


def prepare_process() -> None:
    """Make this process fit for a rig: in a DDS domain of its own, with the packaged profile."""
    keep_freed_memory()
    isolate(free_domain_id())
    os.environ.update(profile_environment())


class NodeRig:
    """Runs the node and talks to it; use it as a context manager.

    Args:
        size: (height, width) of the camera's images.
        parameters: Of the node, as on a command line.
        program: What runs as the node, and records the runs of the engine.

    Raises:
        RuntimeError: If the node ends or is not ready in time; with what it printed.
    """

    def __init__(
        self, size: tuple[int, int], parameters: dict[str, str], program: Path = _TIMED_NODE
    ) -> None:
        prepare_process()
        self._folder = tempfile.TemporaryDirectory()
        self._record = Path(self._folder.name) / 'engine_runs'
        self._log = Path(self._folder.name) / 'node.log'
        self._images = [serialised_image(size, seed) for seed in range(4)]
        self._info = serialize_message(camera_info(size))
        self._process = self._start(program, parameters)
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context)
        self._node = rclpy.create_node('rig', context=self._context)
        self._executor = make_executor(self._context)
        self._executor.add_node(self._node)
        self._sent: dict[int, SentFrame] = {}
        self._number = 0
        self.diagnostics: dict[str, str] = {}
        try:
            self._connect()
        except BaseException:
            self.__exit__()
            raise

    def send(self) -> SentFrame:
        """Publish a frame, its CameraInfo first."""
        self._number += 1
        stamp_ns = self._number * 1_000_000
        info = with_header_stamp(self._info, stamp_ns)
        image = with_header_stamp(self._images[self._number % len(self._images)], stamp_ns)
        self._info_publisher.publish(info)
        frame = self._sent[stamp_ns] = SentFrame(time.monotonic())
        self._image_publisher.publish(image)
        return frame

    def spin(self, until_s: float) -> None:
        """Take in what arrives until a time of time.monotonic."""
        while (left := until_s - time.monotonic()) > 0:
            self._executor.spin_once(left)

    def wait_for(self, frame: SentFrame, timeout_s: float = 30.0) -> bool:
        """Take in what arrives until a frame is complete; whether it is before the time is up."""
        end = time.monotonic() + timeout_s
        while not frame.complete and (left := end - time.monotonic()) > 0:
            self._executor.spin_once(left)
        return frame.complete

    def frames(self, before_s: float = math.inf) -> list[SentFrame]:
        """The frames published before a time of time.monotonic that were not returned yet.

        Each that is complete comes with the engine's run for it.
        """
        published = {key: sent for key, sent in self._sent.items() if sent.published_s < before_s}
        self._sent = {key: sent for key, sent in self._sent.items() if key not in published}
        frames = list(published.values())
        runs = np.fromfile(self._record).reshape(-1, 2)
        for frame in frames:
            if frame.complete:
                # The node runs frame after frame: the last run to end before the first map.
                index = np.searchsorted(runs[:, 1], min(frame.arrived_s.values())) - 1
                frame.engine_s = tuple(runs[index])
        return frames

    def usage(self) -> ProcessUsage:
        """What the node's process uses now."""
        usage = process_usage(self._process.pid)
        if usage is None:
            raise RuntimeError(f'the node has ended; it printed:\n{self._log.read_text()}')
        return usage

    def __enter__(self) -> 'NodeRig':
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        self._folder.cleanup()

    def _start(self, program: Path, parameters: dict[str, str]) -> subprocess.Popen:
        command = [sys.executable, str(program), str(self._record), '--ros-args']
        for name, value in {'autostart': 'true', **parameters}.items():
            command += ['-p', f'{name}:={value}']
        command += ['-r', 'image:=/camera/image_raw']
        with self._log.open('w') as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def _connect(self) -> None:
        node = self._node
        self._image_publisher = node.create_publisher(Image, '/camera/image_raw', RELIABLE)
        self._info_publisher = node.create_publisher(CameraInfo, '/camera/camera_info', RELIABLE)
        for topic in MAPS:
            node.create_subscription(
                Image,
                f'/perception/{topic}',
                lambda data, topic=topic: self._receive(topic, data),
                RELIABLE,
                raw=True,
            )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 10)
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._is_connected():
            self.usage()
            if time.monotonic() > end:
                raise RuntimeError(f'the node is not ready:\n{self._log.read_text()}')
            self._executor.spin_once(0.1)

    def _is_connected(self) -> bool:
        """Whether the node says that it knows the camera and the subscriber."""
        return (
            self.diagnostics.get('image_publishers') == '1'
            and self.diagnostics['camera_info_publishers'] == '1'
            and all(f'{topic} (1)' in self.diagnostics['map_subscribers'] for topic in MAPS)
        )

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics |= {item.key: item.value for item in status.values}

    def _receive(self, topic: str, data: bytes) -> None:
        arrived_s = time.monotonic()
        frame = self._sent.get(header_stamp_ns(data))
        if frame is not None:
            frame.arrived_s[topic] = arrived_s


def make_executor(context: rclpy.Context) -> Executor:
    """What runs camera and subscriber: of those that rclpy has, the one with the least delay."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:  # Humble
        return SingleThreadedExecutor(context=context)
    return EventsExecutor(context=context)


def serialised_image(size: tuple[int, int], seed: int) -> bytes:
    """A random image message of this (height, width)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return serialize_message(to_message(pixels, 'rgb8', Header(frame_id='camera_optical_frame')))


def camera_info(size: tuple[int, int]) -> CameraInfo:
    """The CameraInfo of a pinhole camera with images of this (height, width)."""
    height, width = size
    fx, cx, cy = 0.8 * width, (width - 1) / 2, (height - 1) / 2
    return CameraInfo(
        header=Header(frame_id='camera_optical_frame'),
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
