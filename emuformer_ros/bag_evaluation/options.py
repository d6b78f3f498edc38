"""What is to be evaluated, and how; and whether that is still what was begun."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu_model.checkpoint import BUNDLED, ensemble_members
from emu_model.engines.artefacts import file_digest
from emu_model.engines.exported import files_of
from emuformer_ros.bags.reading import SUFFIXES

NO_TOPIC = 'none'
"""Given as a topic of ground truth: do not look for one."""

_RECORDED_SUFFIXES = (*SUFFIXES, '.yaml', '.zstd')
"""Of the files in a rosbag2 folder."""


@dataclass(frozen=True)
class Options:
    """What is to be evaluated, and how.

    Attributes:
        bags: The recordings.
        image_topic: The camera's; None takes the only one there is.
        depth_topic: Measured depth; None takes the only one there is, 'none' takes none.
        label_topic: Labelled classes, likewise.
        rectified: Whether the images were rectified and the CameraInfo is of the raw ones.
        checkpoint: As for emu_model.create_engine.
        engine: One of emu_model.engines.ENGINES.
        device: As for emu_model.create_engine.
        precision: One of emu_model.engines.PRECISIONS.
        network_size: (height, width) that frames are resized to; the checkpoint's by default.
        output_size: 'camera' or 'network': the size of the maps.
        batch_size: Frames at a time; None for one on a CPU and eight on a GPU.
        every: Evaluate every N-th frame.
        start_s: Leave out what was recorded before this many seconds of a recording.
        end_s: Leave out what was recorded after this many seconds of it.
        tolerance_s: How far the stamps of an image and of its ground truth may lie apart.
        max_depth_m: Measured depth beyond it does not count; None for the end of the range that
            the checkpoint was trained on.
        write_maps: Whether to write a recording of the maps.
    """

    bags: tuple[Path, ...]
    image_topic: str | None = None
    depth_topic: str | None = None
    label_topic: str | None = None
    rectified: bool = False
    checkpoint: Path = BUNDLED
    engine: str = 'auto'
    device: str = 'auto'
    precision: str = 'auto'
    network_size: tuple[int, int] | None = None
    output_size: str = 'camera'
    batch_size: int | None = None
    every: int = 1
    start_s: float | None = None
    end_s: float | None = None
    tolerance_s: float = 0.02
    max_depth_m: float | None = None
    write_maps: bool = True

    def identity(self) -> dict[str, Any]:
        """Everything that the results depend on, as plain values: equal for an equal evaluation.

        Recordings count by path, size and time of change, checkpoints by content.
        """
        values = dataclasses.asdict(self)
        values['bags'] = [_file_identity(path) for path in self.bags]
        values['checkpoint'] = checkpoint_digest(self.checkpoint)
        values['network_size'] = list(self.network_size) if self.network_size else None
        return values


def checkpoint_digest(checkpoint: Path) -> str:
    """SHA-256 of all files that a checkpoint consists of together, in hexadecimal.

    These are an ensemble's members, and of an OpenVINO file it and the weights beside it.
    """
    is_ensemble = checkpoint.is_dir()
    return file_digest(*(ensemble_members(checkpoint) if is_ensemble else files_of(checkpoint)))


def _file_identity(path: Path) -> dict[str, Any]:
    candidates = (path, *sorted(path.glob('*')))
    files = [file for file in candidates if file.is_file() and file.suffix in _RECORDED_SUFFIXES]
    return {
        'path': str(path.absolute()),
        'files': [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files],
    }
