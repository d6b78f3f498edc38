"""The synthetic scenes of emu_model.scenes as a data set: no download, exact ground truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emu_model import scenes
from emu_model.cache import cache_folder
from emu_model.geometry import Intrinsics
from train.data import scene_cache
from train.data.dataset import FrameDataset
from train.data.sample import Sample
from train.data.scene_set import SceneSet

NEAREST_M = 0.05
FARTHEST_M = 80.0


class SyntheticDataset(FrameDataset):
    """Street and indoor scenes, one frame of each, rendered into a cache on first use.

    Depth beyond 80 m counts as no measurement, as it does for the sky.

    Args:
        root: Where rendered scenes are kept; the user's cache folder if None.
        split: 'train', 'validation', 'test', or 'pretrain': scenes for the encoder that stands in
            for ImageNet weights. No scene is in two splits.
        count: Number of frames; more frames begin with the same ones.
        height: In pixels.
        width: In pixels.
        kinds: 'street', 'indoor' or both, which then alternate.
        shift: One of emu_model.scenes.SHIFTS, for frames unlike those of training; frame for frame
            the same scenes as without.
        shift_strength: How far they are shifted.
        focal_length_px: Focal length of all frames. None leaves it to the scenes, where it varies:
            then a pixel's depth cannot be told from the image alone.
        instances: Whether to read the ids of objects too.
        workers: Processes that render; None for one per usable core.

    Raises:
        ValueError: If a parameter is unknown or out of its range.
    """

    name = 'synthetic'
    labels = scenes.LABELS
    depth_range_m = (NEAREST_M, FARTHEST_M)
    things = tuple(scenes.LABELS.id(thing) for thing in scenes.THINGS)

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'train',
        *,
        count: int = 1000,
        height: int = 96,
        width: int = 128,
        kinds: Sequence[str] = ('street', 'indoor'),
        shift: str | None = None,
        shift_strength: float = 1.0,
        focal_length_px: float | None = None,
        instances: bool = False,
        workers: int | None = None,
    ) -> None:
        self.scene_set = SceneSet(
            split, height, width, tuple(kinds), shift, shift_strength, focal_length_px
        )
        self._count = count
        wanted = scene_cache.WITHOUT_INSTANCES
        self._arrays = (*wanted, 'instances') if instances else wanted
        root = Path(root) if root is not None else cache_folder() / 'scenes'
        self.folder = scene_cache.prepare(self.scene_set, count, root, workers, self._arrays)

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> Sample:
        frame = scene_cache.read(self.folder, index, self._arrays)
        depth = frame['depth']
        depth[depth > FARTHEST_M] = 0
        return Sample(
            image=frame['image'],
            classes=frame['classes'],
            depth=depth,
            not_padding=np.ones(depth.shape, bool),
            intrinsics=Intrinsics(*frame['intrinsics'].tolist()),
            index=index,
            instances=frame.get('instances'),
        )
