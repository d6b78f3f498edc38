"""What can still be read of a recording that was cut off, as a recording that is whole.

A recorder that is killed leaves MCAP without its index, and a full disk or a broken copy cuts MCAP
and SQLite files anywhere.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from emuformer_ros.bags.cameras import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from emuformer_ros.bags.reading import Bag, BagError
from emuformer_ros.bags.writing import write_bag

_KEPT_TYPES = (IMAGE, COMPRESSED_IMAGE, CAMERA_INFO)

RawMessage = tuple[str, str, int, bytes]
"""Topic, type, time of recording in nanoseconds, CDR."""


_MAGIC = {b'\x89MCAP0\r\n': '.mcap', b'SQLite format 3\0': '.db3'}


def can_repair(path: Path) -> bool:
    """Whether a file, or one in a folder, begins like an MCAP or SQLite recording."""
    files = [path] if path.is_file() else sorted(path.glob('*')) if path.is_dir() else []
    return any(file.is_file() and file.suffix == _kind(file) for file in files)


def _kind(path: Path) -> str | None:
    with path.open('rb') as file:
        start = file.read(max(map(len, _MAGIC)))
    return next((suffix for magic, suffix in _MAGIC.items() if start.startswith(magic)), None)


def repair_bag(damaged: Path, repaired: Path) -> str:
    """Copy the camera messages that can be read of a recording into a new one.

    Args:
        damaged: A rosbag2 folder, or a .mcap or .db3 file, without compression of whole files.
        repaired: The .mcap file to write.

    Returns:
        How much was lost, as a sentence.

    Raises:
        BagError: If no camera message can be read.
        OSError: If the copy cannot be written.
    """
    losses: list[str] = []
    copied = 0
    with write_bag(repaired) as bag:
        known = set()
        for path in _storage_files(damaged):
            for topic, msgtype, time_ns, data in _SALVAGE[path.suffix](path, losses.append):
                if msgtype not in _KEPT_TYPES:
                    continue
                if topic not in known:
                    bag.add_topic(topic, msgtype)
                    known.add(topic)
                bag.write(topic, time_ns, data)
                copied += 1
    if not copied:
        repaired.unlink()
        raise BagError(
            f"'{damaged}' is damaged and no camera message in it can be read "
            f'({"; ".join(losses)}): record it again'
        )
    expected = _expected_messages(damaged)
    if expected is not None:
        with Bag(repaired) as bag:
            missing = {
                topic: count - (bag.topics[topic].count if topic in bag.topics else 0)
                for topic, count in expected.items()
            }
        lost = ', '.join(f'{count} on {topic}' for topic, count in missing.items() if count > 0)
        return f"'{damaged}' is damaged: {lost or 'no message'} lost ({'; '.join(losses)})"
    return f"'{damaged}' is damaged: {copied} camera messages can be read ({'; '.join(losses)})"


def _storage_files(path: Path) -> list[Path]:
    if path.is_file():
        files = [path]
    else:
        files = sorted(file for file in path.iterdir() if file.suffix in ('.mcap', '.db3'))
    if not files or any(file.suffix not in _SALVAGE for file in files):
        raise BagError(
            f"'{path}' is damaged, and only MCAP and SQLite files can be read in part: record it "
            'again'
        )
    return files


def _mcap_messages(path: Path, report: Callable[[str], None]) -> Iterator[RawMessage]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    size = path.stat().st_size
    with path.open('rb') as file:
        try:
            for record in StreamReader(file, validate_crcs=True).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    msgtype = schemas[channel.schema_id].name
                    yield channel.topic, msgtype, record.log_time, record.data
        # The parser stumbles in many ways over what it finds; what came before is sound.
        except Exception as error:
            reason = str(error).rstrip('.') or type(error).__name__
            report(f'{path.name} breaks off at {file.tell()} of {size} bytes, {reason}')


def _sqlite_messages(path: Path, report: Callable[[str], None]) -> Iterator[RawMessage]:
    with closing(sqlite3.connect(f'file:{path}?immutable=1', uri=True)) as connection:
        last = 0
        try:
            # Lets SQLite read a file that is shorter than its header says.
            connection.execute('PRAGMA writable_schema = ON')
            topics = {
                number: (name, msgtype)
                for number, name, msgtype in connection.execute(
                    'SELECT id, name, type FROM topics'
                )
            }
            # By row id, so that no index is needed, which may be what is damaged.
            rows = connection.execute(
                'SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id'
            )
            for number, topic, time_ns, data in rows:
                last = number
                if topic in topics:
                    yield (*topics[topic], time_ns, data)
        except sqlite3.Error as error:
            report(f'{path.name} breaks off after message {last}, {error}')


_SALVAGE: dict[str, Callable[[Path, Callable[[str], None]], Iterator[RawMessage]]] = {
    '.mcap': _mcap_messages,
    '.db3': _sqlite_messages,
}


def _expected_messages(path: Path) -> dict[str, int] | None:
    """Camera messages by topic that the recording should have; None where it does not say."""
    try:
        content = YAML(typ='safe').load((path / 'metadata.yaml').read_text())
        return {
            each['topic_metadata']['name']: each['message_count']
            for each in content['rosbag2_bagfile_information']['topics_with_message_count']
            if each['topic_metadata']['type'] in _KEPT_TYPES
        }
    except (OSError, YAMLError, KeyError, TypeError):
        return None
