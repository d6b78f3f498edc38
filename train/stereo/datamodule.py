"""Stereo pairs for training beside single frames for evaluation."""

from pathlib import Path

from train.data.datamodule import FrameDataModule
from train.data.dataset import FrameDataset
from train.data.transforms import HorizontalFlip, Transform
from train.stereo.dataset import PseudoLabelledPairs
from train.stereo.pairs import open_pairs
from train.stereo.sample import EachView, MirrorPair


class StereoDataModule(FrameDataModule):
    """Loaders of pairs with pseudo labels for training, and of measured frames for evaluation.

    Args:
        name: One of train.stereo.pairs.PAIR_SOURCES and of train.data.DATASETS.
        root: Folder of the data set; may be None for 'synthetic'.
        pseudo_labels: Folder that train.pseudo_labels has written.
        **options: As for FrameDataModule; a batch holds `batch_size` pairs. What is a data set's
            or its pairs' alone stands in `evaluation_options` or in `train_options`.
    """

    def __init__(
        self, name: str, root: Path | None = None, *, pseudo_labels: Path, **options
    ) -> None:
        super().__init__(name, root, **options)
        self._pseudo_labels = pseudo_labels

    @property
    def description(self) -> str:
        """The training data in a sentence a user can read."""
        return f'{self.name}, {len(self.train_set)} stereo pairs with pseudo labels'

    def transforms(self) -> list[Transform]:
        """What a training sample goes through, in order."""
        return [
            MirrorPair(step.probability) if isinstance(step, HorizontalFlip) else EachView(step)
            for step in super().transforms()
        ]

    def _open(self, split: str) -> FrameDataset:
        if split != self._train_split:
            return super()._open(split)
        source = open_pairs(self.name, self._root, split, **self._options['train'])
        return PseudoLabelledPairs(source, self._pseudo_labels)
