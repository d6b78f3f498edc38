"""Reading recordings: rosbag2 (SQLite or MCAP, compressed or split) and ROS 1 bags.

It needs no ROS installation, and messages come as ROS 2 serialises them (CDR), whatever the
recording holds, so that they can be published, decoded or copied alike.
"""

import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

SUFFIXES = ('.mcap', '.db3', '.bag')
"""Files that are a recording of their own; a rosbag2 folder holds such files."""


class BagError(ValueError):
    """A recording that cannot be used; the message names it, the reason and a way out."""


@dataclass(frozen=True)
class Topic:
    """A topic of a recording: its message type, such as 'sensor_msgs/msg/Image', and count."""

    msgtype: str
    count: int


@dataclass(frozen=True)
class BagMessage:
    """A recorded message.

    Attributes:
        topic: Where it was recorded.
        msgtype: Its type, such as 'sensor_msgs/msg/Image'.
        time_ns: When it was recorded, in nanoseconds.
        data: The message in CDR, as ROS 2 sends it.
    """

    topic: str
    msgtype: str
    time_ns: int
    data: bytes


class Bag:
    """A recording, open for reading; use it as a context manager.

    Attributes:
        path: The rosbag2 folder, or the .mcap, .db3 or .bag file.
        topics: The topics that were recorded, by name.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a recording.

        Raises:
            BagError: If there is none at `path`, or it cannot be read.
        """
        self.path = Path(path)
        self._is_ros1 = self.path.suffix == '.bag'
        _check_is_recording(self.path)
        with self._reading():
            self._reader = Ros1Reader(self.path) if self._is_ros1 else Ros2Reader(self.path)
            self._reader.open()
        self.topics = {
            name: Topic(info.msgtype or '', info.msgcount)
            for name, info in sorted(self._reader.topics.items())
        }

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> 'Bag':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def messages(
        self,
        topics: Collection[str] | None = None,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[BagMessage]:
        """The messages in the order they were recorded, one at a time in memory.

        Args:
            topics: The topics wanted; all by default.
            start_ns: Leave out what was recorded before this time.
            stop_ns: Leave out what was recorded at this time or later.

        Raises:
            BagError: If a topic is not in the recording, or its files are damaged.
        """
        for topic in topics or ():
            self.require(topic)
        connections = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not connections:
            return
        with self._reading():
            for connection, time_ns, data in self._reader.messages(connections, start_ns, stop_ns):
                if self._is_ros1:
                    data = bytes(typestore().ros1_to_cdr(data, connection.msgtype))
                yield BagMessage(connection.topic, connection.msgtype, time_ns, data)

    def require(self, topic: str) -> Topic:
        """The topic of this name; BagError lists those there are if it was not recorded."""
        if topic not in self.topics:
            raise BagError(f"'{self.path}' has no topic '{topic}', only {self.listing()}")
        return self.topics[topic]

    def listing(self) -> str:
        """The topics with types and counts, for a message to a person."""
        if not self.topics:
            return 'nothing at all'
        return ', '.join(f'{name} ({t.msgtype}, {t.count})' for name, t in self.topics.items())

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except BagError:
            raise
        except OSError as error:
            raise BagError(f"'{self.path}' cannot be read: {error}") from error
        # rosbags checks little of a damaged file and stumbles in many ways over what it finds.
        except Exception as error:
            reason = str(error).rstrip('.') or type(error).__name__
            raise BagError(
                f"'{self.path}' is damaged or of an unknown kind ({reason}): try "
                '`ros2 bag reindex`, or record it again'
            ) from error


@cache
def typestore() -> Typestore:
    """The message definitions of ROS 2; those of images are the same in every distribution."""
    return get_typestore(Stores.ROS2_JAZZY)


def decode(message: BagMessage) -> Any:
    """The message as an object with its fields, arrays as NumPy arrays.

    Raises:
        BagError: If the type is not one of the common ones, or the message is damaged.
    """
    try:
        return typestore().deserialize_cdr(message.data, message.msgtype)
    except Exception as error:
        raise BagError(
            f"a message on '{message.topic}' is not a readable {message.msgtype} ({error}): "
            'record it again'
        ) from error


def header_stamp_ns(data: bytes | memoryview) -> int:
    """The stamp of a serialised message that starts with a std_msgs/Header, in nanoseconds.

    Raises:
        BagError: If the message is too short for one.
    """
    seconds, nanoseconds = struct.unpack_from(_stamp_format(data), data, _STAMP_OFFSET)
    return seconds * 10**9 + nanoseconds


def with_header_stamp(data: bytes | memoryview, stamp_ns: int) -> bytes:
    """A copy of a serialised message that starts with a std_msgs/Header, with another stamp.

    Raises:
        BagError: If the message is too short for one.
    """
    copy = bytearray(data)
    struct.pack_into(_stamp_format(data), copy, _STAMP_OFFSET, *divmod(stamp_ns, 10**9))
    return bytes(copy)


_STAMP_OFFSET = 4
"""Bytes of the CDR encapsulation header; the header's stamp comes next, aligned as it is."""


def _stamp_format(data: bytes | memoryview) -> str:
    if len(data) < _STAMP_OFFSET + struct.calcsize('<iI'):
        raise BagError(f'a message of {len(data)} bytes has no std_msgs/Header: record it again')
    return '<iI' if data[1] & 1 else '>iI'


def _check_is_recording(path: Path) -> None:
    if not path.exists():
        raise BagError(f"no recording at '{path}': give a rosbag2 folder or a .mcap, .db3 or .bag")
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        inside = sorted(file.name for file in path.iterdir() if file.suffix in SUFFIXES)
        way_out = f"give '{path / inside[0]}' itself" if inside else 'give a rosbag2 folder'
        raise BagError(f"the folder '{path}' has no metadata.yaml: {way_out}")
    if path.is_file() and path.suffix not in SUFFIXES:
        raise BagError(
            f"'{path}' is not a recording: give a rosbag2 folder or a file that ends in "
            f'{", ".join(SUFFIXES)}'
        )
