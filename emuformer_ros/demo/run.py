"""The demo from start to end: drive, node, recording, results."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from emu_model.checkpoint import CheckpointInfo
from emu_model.engines.exported import read_model_info
from emu_model.files import workspace_in
from emuformer_ros.bags.cameras import (
    COMPRESSED_IMAGE,
    camera_frames,
    find_image_topic,
)
from emuformer_ros.bags.maps import recorded_topics
from emuformer_ros.bags.reading import Bag
from emuformer_ros.bags.writing import write_bag
from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.demo import DemoError
from emuformer_ros.demo.isolation import log_environment
from emuformer_ros.demo.node_process import NodeProcess
from emuformer_ros.demo.playback import Playback
from emuformer_ros.demo.player import Player
from emuformer_ros.demo.recorder import FrameRecord, Recorder
from emuformer_ros.demo.results import frame_statistics, write_overview, write_summary
from emuformer_ros.demo.session import Runtime, Session
from emuformer_ros.synthetic_drive import IMAGE_TOPIC, Drive, write_drive

MAPS, OVERVIEW, SUMMARY, NODE_LOG = 'maps.mcap', 'overview.png', 'summary.json', 'node.log'
"""What the demo leaves in its output folder, the summary last."""

DRIVE = 'drive'
"""Folder of the synthetic drive in the output folder."""

_ROS_LOGS = 'ros_logs'
"""Folder of ROS 2's own log files in the workspace; the node says the same in its log."""


@dataclass(frozen=True)
class Options:
    """What to play, and how.

    Attributes:
        bag: Recording to play; None writes a synthetic drive and plays that.
        topic: Image topic of the recording; None where there is one camera.
        rate: Frames a second; None sends each frame after the maps of the one before.
        frames: The most frames to play; None for all.
        checkpoint: What the node runs, as for emu_model.create_engine.
        output: Folder for the results.
        domain_id: The ROS 2 domain asked for; None for a free one.
    """

    bag: Path | None
    topic: str | None
    rate: float | None
    frames: int | None
    checkpoint: Path
    output: Path
    domain_id: int | None


def run_demo(options: Options, console: Console) -> int:
    """Run the demo; results appear in the output folder when all of them are whole.

    Returns:
        0, or 1 where a frame that was waited for did not come out.

    Raises:
        DemoError: If ROS 2 does not start, the node fails, or no frame comes out.
        BagError: If the recording cannot be used.
        CheckpointError: If the checkpoint cannot be used.
        ModuleNotFoundError: If the packages are missing that read an exported checkpoint.
        OSError: If a file is missing or cannot be written.
    """
    info = read_model_info(options.checkpoint)
    options.output.mkdir(parents=True, exist_ok=True)
    with workspace_in(options.output) as workspace, _progress(console) as progress:
        path, topic, what = options.bag, options.topic, 'A synthetic drive'
        if path is None:
            path, topic = options.output / DRIVE, IMAGE_TOPIC
            _render_drive(path, options.frames, progress)
        with Bag(path) as bag:
            topic = find_image_topic(bag, topic)
            if options.bag:
                what = f'{topic} in {path.name}'
            frames, runtime, played_topic = _perceive(
                bag, topic, info, options, workspace, progress
            )
        statistics = frame_statistics(frames)
        if not statistics['frames_out']:
            raise DemoError(f'none of {len(frames)} frames came out of the node: play them slower')
        summary = {
            **statistics,
            'engine': runtime.engine,
            'device': runtime.device,
            'precision': runtime.precision,
            'checkpoint': str(options.checkpoint),
            'bag': str(path),
            'topic': topic,
            'rate_hz': options.rate,
        }
        task = progress.add_task('Drawing the overview', total=1)
        write_overview(
            workspace / OVERVIEW,
            workspace / MAPS,
            played_topic,
            frames,
            info,
            f'{what}, seen by {info.network} with {info.backbone}',
        )
        progress.advance(task)
        write_summary(workspace / SUMMARY, summary)
        for name in (MAPS, OVERVIEW, NODE_LOG, SUMMARY):
            os.replace(workspace / name, options.output / name)
    _report(summary, options, console)
    return 1 if options.rate is None and summary['frames_dropped'] else 0


def _render_drive(path: Path, frames: int | None, progress: Progress) -> None:
    drive = Drive() if frames is None else Drive(frames=frames)
    task = progress.add_task('Rendering a drive', total=drive.frames)
    write_drive(path, drive, lambda: progress.advance(task))


def _perceive(
    bag: Bag,
    topic: str,
    info: CheckpointInfo,
    options: Options,
    workspace: Path,
    progress: Progress,
) -> tuple[list[FrameRecord], Runtime, str]:
    """Play a recording through a node; the maps are in the workspace afterwards."""
    os.environ.update(profile_environment() | log_environment(workspace / _ROS_LOGS))
    msgtype = bag.topics[topic].msgtype
    total = min(bag.topics[topic].count, options.frames or bag.topics[topic].count)
    starting = progress.add_task('Starting the node', total=1)
    playing = progress.add_task('Playing through it', total=total, start=False)
    with write_bag(workspace / MAPS) as maps, Session() as session:
        # The camera is there before the node, as on most robots.
        player = Player(session.node, topic, msgtype)
        parameters = {
            'autostart': 'true',
            # Quoted: a path may look like a number to YAML.
            'checkpoint': json.dumps(str(options.checkpoint.absolute())),
            'image_transport': 'compressed' if msgtype == COMPRESSED_IMAGE else 'raw',
        }
        remappings = {'image': player.base_topic}
        with NodeProcess(workspace / NODE_LOG, remappings, parameters) as process:
            session.wait_until_active(process)
            progress.advance(starting)
            progress.start_task(playing)
            with Recorder(session.node, maps, player, msgtype, recorded_topics(info)) as recorder:
                playback = Playback(session, process, player, recorder)
                frames = itertools.islice(camera_frames(bag, topic), options.frames)
                frames = playback.connect(frames)
                if options.rate is None:
                    playback.play_paced(frames, lambda: progress.advance(playing))
                else:
                    playback.play_at_rate(frames, options.rate, lambda: progress.advance(playing))
            runtime = session.runtime(process)
    return recorder.frames, runtime, player.image_topic


def _report(summary: dict[str, Any], options: Options, console: Console) -> None:
    latency = summary['latency_ms']
    console.print(
        f'{summary["frames_out"]} of {summary["frames_in"]} frames came out, '
        f'{summary["frames_dropped"]} dropped; latency {latency["p50"]:.0f} ms (median), '
        f'{latency["p95"]:.0f} ms (95 %), {summary["frames_per_second"]:.1f} frames/s with '
        f'{summary["engine"]} on {summary["device"]}',
        highlight=False,
        soft_wrap=True,
    )
    for name in (OVERVIEW, MAPS, SUMMARY):
        console.print(f'  {options.output / name}', highlight=False, soft_wrap=True)
    if options.rate is None and summary['frames_dropped']:
        console.print(
            f'[red]error:[/] {summary["frames_dropped"]} frames did not come out with all their '
            f'maps: {options.output / NODE_LOG} says why',
            highlight=False,
            soft_wrap=True,
        )


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn('{task.description:<20}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
