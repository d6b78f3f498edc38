"""Several cameras, the node or nodes that perceive for them, and a subscriber to all maps.

Everything goes over DDS on this machine, with the packaged Fast DDS profile at both ends.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.node_rig import (
    MAPS,
    RELIABLE,
    SentFrame,
    camera_info,
    prepare_process,
    serialised_image,
)
from emuformer_ros.bags.reading import header_stamp_ns, with_header_stamp
from emuformer_ros.demo.node_process import NodeProcess
from emuformer_ros.health.process_usage import process_usage

_START_TIMEOUT_S = 300.0


class Feed:
    """One camera and the subscriber to its maps.

    Args:
        node: Of the rig.
        camera: Its name: images go to /<camera>/image.
        maps: What its map topics are under.
        image: What it sees, serialised.
        info: Its CameraInfo, serialised.

    Attributes:
        sent: What became of its frames, in order.
    """

    def __init__(self, node: Node, camera: str, maps: str, image: bytes, info: bytes) -> None:
        self.sent: list[SentFrame] = []
        self._by_stamp: dict[int, SentFrame] = {}
        self._image, self._info = image, info
        self._images = node.create_publisher(Image, f'/{camera}/image', RELIABLE)
        self._infos = node.create_publisher(CameraInfo, f'/{camera}/camera_info', RELIABLE)
        for topic in MAPS:
            node.create_subscription(
                Image,
                f'{maps}/{topic}',
                lambda data, topic=topic: self._receive(topic, data),
                RELIABLE,
                raw=True,
            )

    def send(self) -> None:
        """Publish a frame, its CameraInfo first."""
        stamp_ns = 1_000_000 * (len(self._by_stamp) + 1)
        self._infos.publish(with_header_stamp(self._info, stamp_ns))
        frame = self._by_stamp[stamp_ns] = SentFrame(time.monotonic())
        self.sent.append(frame)
        self._images.publish(with_header_stamp(self._image, stamp_ns))

    def is_idle(self) -> bool:
        """Whether every map of the last frame has arrived, or none was sent."""
        return not self.sent or self.sent[-1].complete

    def _receive(self, topic: str, data: bytes) -> None:
        self._by_stamp[header_stamp_ns(data)].arrived_s[topic] = time.monotonic()


class CamerasRig:
    """Runs the node or nodes and the cameras; use it as a context manager.

    Args:
        cameras: How many.
        is_shared: Whether one node perceives for all cameras, or each has its own.
        size: (height, width) of the images.
        parameters: Of the nodes, as on a command line.

    Attributes:
        feeds: One for each camera.
        runtime: Engine, device and precision, as the nodes say.
    """

    def __init__(
        self, cameras: int, is_shared: bool, size: tuple[int, int], parameters: dict[str, str]
    ) -> None:
        prepare_process()
        self._statuses: dict[str, dict[str, str]] = {}
        self._names = [f'camera_{number}' for number in range(cameras)]
        self._is_shared = is_shared
        with ExitStack() as stack:
            self._nodes = self._start_nodes(stack, parameters)
            context = rclpy.Context()
            rclpy.init(args=[], context=context)
            stack.callback(rclpy.shutdown, context=context)
            node = rclpy.create_node('rig', context=context)
            stack.callback(node.destroy_node)
            self._executor = SingleThreadedExecutor(context=context)
            stack.callback(self._executor.shutdown)
            self._executor.add_node(node)
            info = serialize_message(camera_info(size))
            self.feeds = [
                Feed(node, name, self._maps(name), serialised_image(size, number), info)
                for number, name in enumerate(self._names)
            ]
            node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 10)
            self._wait_until_connected()
            self._stack = stack.pop_all()

    @property
    def runtime(self) -> dict[str, str]:
        """What runs the network."""
        status = next(value for name, value in self._statuses.items() if name.endswith(': node'))
        return {key: status[key] for key in ('engine', 'device', 'precision')}

    def spin_once(self, timeout_s: float) -> None:
        """Take in what arrives next, waiting for it if need be."""
        self._executor.spin_once(max(timeout_s, 0.0))

    def cpu_s(self) -> float:
        """CPU time that the nodes have used."""
        return sum(process_usage(node.pid).cpu_s for node in self._nodes)

    def memory_mb(self) -> float:
        """Memory of the nodes in MiB; what they share is counted once (PSS)."""
        return sum(_proportional_memory_mb(node.pid) for node in self._nodes)

    def __enter__(self) -> 'CamerasRig':
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _maps(self, camera: str) -> str:
        return f'/perception/{camera}' if self._is_shared else f'/perception_of_{camera}'

    def _start_nodes(self, stack: ExitStack, parameters: dict[str, str]) -> list[NodeProcess]:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shared = {'autostart': 'true', **parameters}
        if self._is_shared:
            cameras = {'cameras': f'[{", ".join(self._names)}]'}
            node = NodeProcess(folder / 'node.log', {}, {**shared, **cameras})
            return [stack.enter_context(node)]
        return [
            stack.enter_context(
                NodeProcess(
                    folder / f'{name}.log',
                    {'__node': self._maps(name)[1:], 'image': f'/{name}/image'},
                    shared,
                )
            )
            for name in self._names
        ]

    def _wait_until_connected(self) -> None:
        end = time.monotonic() + _START_TIMEOUT_S
        while sum(map(_is_connected, self._statuses.values())) < len(self._names):
            for node in self._nodes:
                node.require_alive()
            if time.monotonic() > end:
                raise self._nodes[0].failure('the cameras are not connected in time')
            self.spin_once(0.1)

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._statuses[status.name] = {item.key: item.value for item in status.values}


def _is_connected(status: dict[str, str]) -> bool:
    """Whether a status is of a camera that knows its publishers and the subscriber."""
    publishers = [status.get(f'{kind}_publishers') for kind in ('image', 'camera_info')]
    subscribers: Sequence[str] = status.get('map_subscribers', '').split(', ')
    return publishers == ['1', '1'] and len(subscribers) == len(MAPS)


def _proportional_memory_mb(pid: int) -> float:
    lines = Path('/proc', str(pid), 'smaps_rollup').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('Pss:')) / 1024
