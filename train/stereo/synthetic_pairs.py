"""The synthetic scenes of emu_model.scenes through both eyes, with exact labels."""

import dataclasses
from pathlib import Path

from emu_model.geometry import Intrinsics
from train.data import scene_cache
from train.data.synthetic import SyntheticDataset
from train.stereo.pairs import VIEWS, PairSource, StereoPair

_ARRAYS = ('image', 'classes', 'intrinsics', 'baseline')


class SyntheticPairs(PairSource):
    """Pairs of street and indoor scenes, rendered into a cache on first use.

    Args:
        root: Where rendered scenes are kept; the user's cache folder if None.
        split: As for train.data.synthetic.SyntheticDataset, whose frames are the left images.
        workers: Processes that render; None for one per usable core.
        **options: As for SyntheticDataset.
    """

    name = SyntheticDataset.name
    labels = SyntheticDataset.labels
    depth_range_m = SyntheticDataset.depth_range_m

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'train',
        *,
        workers: int | None = None,
        **options,
    ) -> None:
        left = SyntheticDataset(root, split, workers=workers, **options)
        self._count = len(left)
        self._folders = {
            eye: scene_cache.prepare(
                dataclasses.replace(left.scene_set, eye=eye),
                self._count,
                left.folder.parent,
                workers,
                _ARRAYS,
            )
            for eye in VIEWS
        }

    def __len__(self) -> int:
        return self._count

    def key(self, index: int) -> str:
        return f'{self._folders["left"].name}/{index:07d}'

    def read(self, index: int) -> StereoPair:
        left, right = (
            scene_cache.read(folder, index, _ARRAYS) for folder in self._folders.values()
        )
        return StereoPair(
            left['image'],
            right['image'],
            Intrinsics(*left['intrinsics'].tolist()),
            float(left['baseline']),
            classes={'left': left['classes'], 'right': right['classes']},
        )
