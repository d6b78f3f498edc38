"""Writing recordings as MCAP that rosbag2, RViz and Foxglove open; needs no ROS installation."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from emu_model.files import workspace_in
from emuformer_ros.bags.reading import typestore

_UNLIMITED = QosTime(2147483647, 4294967295)

_METADATA_VERSION = 8
"""The newest that writes QoS as numbers, which older distributions read too."""


def offered_qos(*, depth: int = 10, reliable: bool = True, latched: bool = False) -> Qos:
    """The QoS that a topic's publisher offered, kept in the recording for its player."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_UNLIMITED,
        lifespan=_UNLIMITED,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_UNLIMITED,
        avoid_ros_namespace_conventions=False,
    )


class McapBag:
    """A recording in the making."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._connections: dict[str, Connection] = {}

    def add_topic(self, topic: str, msgtype: str, qos: Iterable[Qos] = ()) -> None:
        """Announce a topic; one that stays without a message is listed all the same."""
        self._connections[topic] = self._writer.add_connection(
            topic,
            msgtype,
            typestore=typestore(),
            offered_qos_profiles=list(qos) or [offered_qos()],
        )

    def write(self, topic: str, time_ns: int, data: bytes | memoryview) -> None:
        """Append a message of an announced topic.

        Args:
            topic: An announced topic.
            time_ns: When it was recorded, in nanoseconds.
            data: The message in CDR.
        """
        self._writer.write(self._connections[topic], time_ns, data)


@contextmanager
def write_bag(path: str | Path) -> Iterator[McapBag]:
    """Write a rosbag2, compressed with zstd; it appears at `path` when it is whole.

    Args:
        path: A rosbag2 folder; or, where it ends in .mcap, a single file, which rosbag2 opens as
            well. What was there before is replaced.

    Raises:
        FileExistsError: If `path` is a folder or file that is no recording.
    """
    path = Path(path)
    _check_replaceable(path)
    with workspace_in(path.parent) as workspace:
        # rosbag2 names the file in a folder after the folder.
        written = workspace / path.stem
        writer = Writer(written, version=_METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        with writer:
            yield McapBag(writer)
        if path.suffix == '.mcap':
            os.replace(written / path.name, path)
        else:
            if path.exists():
                shutil.rmtree(path)
            os.replace(written, path)


def _check_replaceable(path: Path) -> None:
    if path.suffix == '.mcap':
        if path.is_dir():
            raise FileExistsError(f"'{path}' is a folder: choose another name for the recording")
    elif path.exists() and not (path / 'metadata.yaml').is_file():
        raise FileExistsError(
            f"'{path}' exists and is no rosbag2 folder: choose another name for the recording"
        )
