"""A node that answers each image with four ready maps: what DDS and rclpy take by themselves.

    python benchmarks/relay_node.py RECORD --ros-args ...

takes the place of benchmarks/timed_node.py; its engine runs, for no time, when an image is there.
"""

import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.node_rig import MAPS, RELIABLE
from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.interruption import run_until_interrupted
from emuformer_ros.maps.image_serialisation import serialise_image
from emuformer_ros.maps.outputs import MAP_TOPICS

_ENCODINGS = {topic.name: topic.encoding for topic in MAP_TOPICS}
_DTYPES = {'mono8': np.uint8, '32FC1': np.float32}
_DIAGNOSTICS_PERIOD_S = 0.5


class RelayNode(Node):
    """Publishes empty maps of each image's size, as the perception node publishes its own.

    Args:
        record: File that takes, for each image, when it was there, twice, as two float64.
    """

    def __init__(self, record: Path) -> None:
        super().__init__('perception')
        self._record = record.open('wb', buffering=0)
        self._maps = {name: self.create_publisher(Image, f'~/{name}', RELIABLE) for name in MAPS}
        self.create_subscription(Image, 'image', self._relay, RELIABLE)
        self._image_topic = self.resolve_topic_name('image')
        self._info_topic = f'{self._image_topic.rpartition("/")[0]}/camera_info'
        self.create_subscription(CameraInfo, self._info_topic, lambda info: None, RELIABLE)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._diagnose)

    def _relay(self, image: Image) -> None:
        now_s = time.monotonic()
        self._record.write(struct.pack('=dd', now_s, now_s))
        for name, publisher in self._maps.items():
            encoding = _ENCODINGS[f'~/{name}']
            pixels = np.zeros((image.height, image.width), _DTYPES[encoding])
            publisher.publish(serialise_image(pixels, encoding, image.header))

    def _diagnose(self) -> None:
        """Say who is there, in the perception node's words."""
        subscribers = (
            f'{publisher.topic_name} ({publisher.get_subscription_count()})'
            for publisher in self._maps.values()
        )
        values = {
            'engine': 'none',
            'device': 'none',
            'precision': 'none',
            'image_publishers': self.count_publishers(self._image_topic),
            'camera_info_publishers': self.count_publishers(self._info_topic),
            'map_subscribers': ', '.join(subscribers),
        }
        status = DiagnosticStatus(
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()]
        )
        self._diagnostics.publish(DiagnosticArray(status=[status]))


def _run(record: Path) -> int:
    rclpy.spin(RelayNode(record))
    return 0


if __name__ == '__main__':
    os.environ.update(profile_environment())
    path = Path(sys.argv.pop(1))
    sys.exit(run_until_interrupted(lambda: _run(path), None))
