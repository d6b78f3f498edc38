"""Several MCAP files of the same topics as one, without decompressing them.

The chunks are copied as they are and a new summary is written, as https://mcap.dev/spec has it.
"""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import RecordBuilder
from mcap.reader import make_reader
from mcap.records import ChunkIndex, DataEnd, Footer, Header, Statistics
from mcap.summary import Summary

from emu_model.files import written_aside

_MAGIC = b'\x89MCAP0\r\n'


def join_mcap(parts: Sequence[Path], target: Path) -> None:
    """Write the messages of all parts into one file, which appears when it is whole.

    Args:
        parts: MCAP files with the same topics, announced in the same order; at least one.
        target: The file to write.

    Raises:
        ValueError: If the topics of two parts differ.
        OSError: If it cannot be written; the parts are left as they are.
    """
    with written_aside(target) as partial, partial.open('wb') as output:
        _join(parts, output)


def _join(parts: Sequence[Path], output: BinaryIO) -> None:
    output.write(_MAGIC + _record(Header('ros2', 'emuformer_ros')))
    first: Summary | None = None
    chunks: list[ChunkIndex] = []
    statistics: list[Statistics] = []
    for path in parts:
        with path.open('rb') as file:
            summary = make_reader(file).get_summary()
            first = first or summary
            if (summary.schemas, summary.channels) != (first.schemas, first.channels):
                raise ValueError(
                    f"'{path}' has other topics than '{parts[0]}': join recordings of the same "
                    'topics'
                )
            chunks += [_copy_chunk(file, chunk, output) for chunk in summary.chunk_indexes]
            statistics.append(summary.statistics)
    output.write(_record(DataEnd(0)))
    summary_start = output.tell()
    for record in (*first.schemas.values(), *first.channels.values(), *chunks):
        output.write(_record(record))
    output.write(_record(_total(statistics)))
    output.write(_record(Footer(summary_start, 0, 0)) + _MAGIC)


def _copy_chunk(file: BinaryIO, chunk: ChunkIndex, output: BinaryIO) -> ChunkIndex:
    """Copy a chunk with the message indexes that follow it; returns where it is now."""
    moved = output.tell() - chunk.chunk_start_offset
    file.seek(chunk.chunk_start_offset)
    shutil.copyfileobj(_Limited(file, chunk.chunk_length + chunk.message_index_length), output)
    return dataclasses.replace(
        chunk,
        chunk_start_offset=chunk.chunk_start_offset + moved,
        message_index_offsets={
            channel: offset + moved for channel, offset in chunk.message_index_offsets.items()
        },
    )


class _Limited:
    """The next bytes of a file, as shutil.copyfileobj reads them."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _total(statistics: Sequence[Statistics]) -> Statistics:
    counts: Counter[int] = Counter()
    for each in statistics:
        counts.update(each.channel_message_counts)
    full = [each for each in statistics if each.message_count]
    return dataclasses.replace(
        statistics[0],
        attachment_count=0,
        metadata_count=0,
        channel_message_counts=dict(sorted(counts.items())),
        chunk_count=sum(each.chunk_count for each in statistics),
        message_count=sum(each.message_count for each in statistics),
        message_start_time=min((each.message_start_time for each in full), default=0),
        message_end_time=max((each.message_end_time for each in full), default=0),
    )


def _record(record) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return builder.end()
