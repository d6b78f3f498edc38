"""What the demo leaves behind: a summary in numbers and an overview in pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.overview import OverviewRow, overview_figure
from emuformer_ros.bags.maps import read_maps
from emuformer_ros.bags.reading import Bag, decode, header_stamp_ns
from emuformer_ros.camera.image_conversion import to_rgb
from emuformer_ros.demo.recorder import FrameRecord


def frame_statistics(frames: Sequence[FrameRecord]) -> dict[str, Any]:
    """Counts and latencies of the frames that were played.

    A frame is out when all its maps have arrived; its latency is the time from publishing the
    image to the arrival of the last of them, in the demo's own process.

    Returns:
        frames_in, frames_out, frames_dropped, latency_ms {p50, p95} (None where no frame came
        out) and frames_per_second, from the first frame's start to the last one's end.
    """
    complete = [frame for frame in frames if frame.is_complete()]
    latencies_ms = [1e3 * frame.latency_s for frame in complete]
    percentiles = np.percentile(latencies_ms, (50, 95)).tolist() if complete else (None, None)
    wall_s = max((f.completed_s for f in complete), default=0) - min(
        (f.published_s for f in frames), default=0
    )
    return {
        'frames_in': len(frames),
        'frames_out': len(complete),
        'frames_dropped': len(frames) - len(complete),
        'latency_ms': {
            name: None if value is None else round(value, 2)
            for name, value in zip(('p50', 'p95'), percentiles)
        },
        'frames_per_second': round(len(complete) / wall_s, 2) if complete else 0.0,
    }


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write a summary as JSON."""
    path.write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')


def write_overview(
    path: Path,
    recording: Path,
    image_topic: str,
    frames: Sequence[FrameRecord],
    info: CheckpointInfo,
    title: str,
    rows: int = 4,
) -> None:
    """Draw a few frames of a recording, evenly spread over the complete ones.

    Args:
        path: The image file to write.
        recording: The recorded camera and maps.
        image_topic: The camera's topic in it.
        frames: The frames that were played, at least one of them complete.
        info: The checkpoint that made the maps.
        title: A line above everything.
        rows: The most frames to draw.
    """
    complete = [frame for frame in frames if frame.is_complete()]
    picked = np.unique(np.linspace(0, len(complete) - 1, rows).round().astype(int))
    start_ns = complete[0].stamp_ns
    figure = overview_figure(
        [
            _row(recording, image_topic, complete[i], complete[i].stamp_ns - start_ns)
            for i in picked
        ],
        info.labels if info.class_names else None,
        title,
    )
    figure.savefig(path)


def _row(
    recording: Path, image_topic: str, frame: FrameRecord, since_start_ns: int
) -> OverviewRow:
    with Bag(recording) as bag:
        prediction, overlay = read_maps(bag, frame.time_ns, frame.stamp_ns)
        image = next(
            message
            for message in bag.messages([image_topic], frame.time_ns, frame.time_ns + 1)
            if header_stamp_ns(message.data) == frame.stamp_ns
        )
    title = f't = {since_start_ns / 1e9:.1f} s'
    return OverviewRow(title, to_rgb(decode(image)), prediction, overlay)
