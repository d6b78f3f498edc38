"""Synthetic scenes, rendered once into a folder of .npy files. Needs no PyTorch.

A frame is a function of its parameters and its number alone, so a folder grows with the largest
number of frames ever asked for. Frames lie in shards; a shard is written aside and renamed when it
is whole, so that a killed rendering goes on where it stood, and several processes may render into
the same folder: each takes shards in an order of its own, and leaves those that are there by then.
"""

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emu_model.files import workspace_in, written_aside
from emu_model.processor import core_count
from train.child_processes import end_with_parent
from train.data.scene_set import MOST_FRAMES, SceneSet
from train.files import write_json

SHARD_FRAMES = 32
ARRAYS = ('image', 'classes', 'depth', 'intrinsics', 'instances', 'baseline')
"""What is rendered of a frame."""

WITHOUT_INSTANCES = ARRAYS[:4]
"""What most trainings read of it."""


_ABANDONED_AFTER_S = 3600


def prepare(
    scene_set: SceneSet,
    count: int,
    root: Path,
    workers: int | None = None,
    arrays: Sequence[str] = ARRAYS,
) -> Path:
    """Render what is missing of the first `count` frames, with a progress bar.

    Args:
        scene_set: Which scenes.
        count: Frames wanted.
        root: Folder that holds the folders of all sets.
        workers: Processes that render; None for one per usable core, 0 or 1 for none but this.
        arrays: Which of ARRAYS will be read; a shard that lacks one is rendered again.

    Returns:
        The set's folder, to read frames from with `read`.

    Raises:
        ValueError: If `count` is not of 1…MOST_FRAMES.
        OSError: If the folder cannot be written.
    """
    if not 1 <= count <= MOST_FRAMES:
        raise ValueError(
            f'{count} synthetic frames were asked for: 1 to {MOST_FRAMES} can be rendered'
        )
    folder = root / scene_set.folder_name()
    shards = range(-(-count // SHARD_FRAMES))
    missing = [shard for shard in shards if not _has(folder, shard, arrays)]
    if not missing:
        return folder
    random.Random(os.getpid()).shuffle(missing)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    _write_description(scene_set, folder)
    if workers is None:
        workers = core_count()
    with Progress(
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as progress:
        bar = progress.add_task(
            f'rendering {scene_set.split} scenes',
            total=len(shards) * SHARD_FRAMES,
            completed=(len(shards) - len(missing)) * SHARD_FRAMES,
        )
        workers = min(workers, len(missing))
        for _ in _render_shards(scene_set, folder, missing, arrays, workers):
            progress.advance(bar, SHARD_FRAMES)
    return folder


def read(folder: Path, index: int, arrays: Sequence[str] = ARRAYS) -> dict[str, np.ndarray]:
    """Frame `index` of a prepared folder; nothing of it stays open.

    Args:
        folder: The folder.
        index: The frame.
        arrays: Which of ARRAYS to read.

    Returns:
        `image` uint8 (H, W, 3), `classes` uint8 (H, W), `depth` float32 (H, W) in metres with 0
        for none, `intrinsics` float64 (4,), that is fx, fy, cx, cy in pixels, `instances` uint16
        (H, W) with 0 for none, `baseline` float64 (), the metres between the eyes.
    """
    shard, row = divmod(index, SHARD_FRAMES)
    files = _shard_folder(folder, shard)
    return {name: np.array(np.load(files / f'{name}.npy', mmap_mode='r')[row]) for name in arrays}


def _render_shards(
    scene_set: SceneSet, folder: Path, shards: list[int], arrays: Sequence[str], workers: int
) -> Iterator[None]:
    """Render shards in parallel, yielding once for each that is done."""
    if workers < 2:
        for shard in shards:
            yield _render_shard(scene_set, folder, shard, arrays)
        return
    # Spawned: a fork of a process with threads, PyTorch's and OpenCV's, can wait for ever for a
    # lock that one of them held.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context('spawn'), initializer=_start_worker
    )
    try:
        for done in as_completed(
            [pool.submit(_render_shard, scene_set, folder, shard, arrays) for shard in shards]
        ):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    end_with_parent()


def _render_shard(scene_set: SceneSet, folder: Path, shard: int, wanted: Sequence[str]) -> None:
    if _has(folder, shard, wanted):
        return
    first = shard * SHARD_FRAMES
    frames = [scene_set.render(index) for index in range(first, first + SHARD_FRAMES)]
    cameras = [frame.intrinsics for frame in frames]
    arrays = {
        'image': np.stack([frame.image for frame in frames]),
        'classes': np.stack([frame.classes for frame in frames]),
        'depth': np.stack([_without_sky(frame.depth) for frame in frames]),
        'intrinsics': np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
        'instances': np.stack([frame.instances for frame in frames]),
        'baseline': np.array([frame.baseline_m for frame in frames]),
    }
    with workspace_in(folder) as workspace:
        partial = workspace / 'frames'
        for name in ARRAYS:
            with written_aside(partial / f'{name}.npy') as file:
                np.save(file, arrays[name])
        _publish(partial, _shard_folder(folder, shard))


def _without_sky(depth: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(depth), depth, np.float32(0))


def _publish(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:
        # Another process was faster, or the shard lacked an array; the frames are the same.
        if not target.is_dir():
            raise
        for file in partial.iterdir():
            if not (target / file.name).is_file():
                file.rename(target / file.name)


def _has(folder: Path, shard: int, arrays: Sequence[str]) -> bool:
    files = _shard_folder(folder, shard)
    return all((files / f'{name}.npy').is_file() for name in arrays)


def _shard_folder(folder: Path, shard: int) -> Path:
    first = shard * SHARD_FRAMES
    # The name says which frames it holds, so that shards of another length are never mixed in.
    return folder / f'frames-{first:07d}-{first + SHARD_FRAMES - 1:07d}'


def _write_description(scene_set: SceneSet, folder: Path) -> None:
    write_json(folder / 'meta.json', {**scene_set.description(), 'numpy': np.__version__})


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left; younger pieces may still be written."""
    for piece in folder.glob('.partial-*'):
        try:
            old = time.time() - piece.stat().st_mtime > _ABANDONED_AFTER_S
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(piece, ignore_errors=True) if piece.is_dir() else piece.unlink(True)
