"""What the data sets have in common, and how they are read for training and for evaluation."""

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from emu_model.labels import UNLABELLED, LabelSet
from train.data.sample import Sample
from train.data.transforms import Transform

SPLITS = ('train', 'validation', 'test')
"""Names of splits; where only one is published for evaluation, both of the latter name it."""

UNCAPPED_M = 125_000.0
"""Just beyond what the smallest disparity of Cityscapes and KITTI, 1/256 pixel, measures. Not
infinite, as checkpoints keep the range in JSON."""


class DatasetError(ValueError):
    """Files that are not as published; the message names the file and what was expected."""


class FrameDataset(Dataset, abc.ABC):
    """Frames with class labels, metric depth and intrinsics; decoded when asked for, never kept.

    Indexing gives the plain frame as tensors (train.data.sample.Sample.tensors).

    Attributes:
        name: Name in the registry (train.data.DATASETS).
        labels: The classes.
        labelled: Whether pixels have classes; where they have none, any network's will do.
        depth_range_m: (nearest, farthest) depth a pixel may have, in metres.
        things: Ids of the classes whose objects have ids; none where the data set has no such ids.
        splits: Those of SPLITS that the data set has, with the names that it publishes them under;
            two of one name are the same frames. Data sets without 'train' are for evaluation.
    """

    name: str
    labels: LabelSet
    labelled: bool = True
    depth_range_m: tuple[float, float]
    things: tuple[int, ...] = ()
    splits: Mapping[str, str] = {split: split for split in SPLITS}

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, index: int) -> Sample:
        """The plain frame `index`, 0 ≤ index < len(self), from disk."""

    def read_checked(self, index: int) -> Sample:
        """What `read` gives, if its pixels have no other classes than those of the data set.

        Raises:
            DatasetError: If one has, or the files cannot be used.
        """
        sample = self.read(index)
        check_class_ids(sample.classes, self.labels, f"frame {index} of data set '{self.name}'")
        return sample

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.read_checked(range(len(self))[index]).tensors()


class AugmentedDataset(Dataset):
    """A data set under random transforms that depend on seed, epoch and index alone.

    It is indexed by the pairs (epoch, index) that train.data.sampler.EndlessSampler yields, so the
    same frame of the same epoch looks the same in every process, run and resumed run.

    Args:
        dataset: Plain frames.
        transforms: Applied in order.
        seed: Not negative.
    """

    def __init__(
        self, dataset: FrameDataset, transforms: Sequence[Transform], seed: int = 0
    ) -> None:
        self.dataset = dataset
        self._transforms = tuple(transforms)
        self._seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = position
        rng = np.random.default_rng([self._seed, epoch, index])
        sample = self.dataset.read_checked(index)
        for transform in self._transforms:
            sample = transform(sample, rng)
        return sample.tensors()


class EvaluationDataset(Dataset):
    """A data set without augmentation, indexed by the pairs of EvaluationSampler.

    Args:
        dataset: Plain frames.
        resize: Makes all frames one size; None leaves them as they are.
    """

    def __init__(self, dataset: FrameDataset, resize: Transform | None = None) -> None:
        self.dataset = dataset
        self._resize = resize

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: tuple[int, bool]) -> dict[str, Tensor]:
        index, counts = position
        sample = self.dataset.read_checked(index)
        if self._resize is not None:
            sample = self._resize(sample, None)
        tensors = sample.tensors()
        if not counts:
            tensors['classes'].fill_(UNLABELLED)
            tensors['depth'].zero_()
            tensors['not_padding'].fill_(False)
            if 'instances' in tensors:
                tensors['instances'].zero_()
        return tensors


def chosen_split(split: str, published: Mapping[str, str], dataset: str) -> str:
    """The name under which a data set publishes a split.

    Raises:
        ValueError: If there is no such split.
    """
    if split not in published:
        raise ValueError(
            f"data set '{dataset}' has no split '{split}': choose of {', '.join(published)}"
        )
    return published[split]


def check_class_ids(classes: np.ndarray, labels: LabelSet, origin: str) -> None:
    """Refuse class ids that are neither those of a label set nor 255.

    Args:
        classes: Class ids, uint8 of any shape.
        labels: The classes.
        origin: Where the ids are from, for the error message.

    Raises:
        DatasetError: If there are others.
    """
    unknown = (classes >= len(labels)) & (classes != UNLABELLED)
    if unknown.any():
        raise DatasetError(
            f'{origin} has class id {classes[unknown].min()}: the {len(labels)} classes of '
            f"'{labels.name}' are 0 to {len(labels) - 1}, and {UNLABELLED} is unlabelled; map its "
            'label ids to these train ids'
        )


def depth_range_m(nearest_m: float, max_depth_m: float | None) -> tuple[float, float]:
    """(nearest, farthest) depth in metres of the data up to `max_depth_m`; None for all of it.

    Raises:
        ValueError: If no depth is left.
    """
    if max_depth_m is not None and not max_depth_m > nearest_m:
        raise ValueError(
            f'max_depth_m is {max_depth_m}: give a depth over {nearest_m} m, or none for all'
        )
    return nearest_m, UNCAPPED_M if max_depth_m is None else max_depth_m


def read_names(path: Path) -> list[str]:
    """The names of a split's frames, from the file SPLIT.txt that lists them.

    Raises:
        DatasetError: If there is no such file, or no name in it.
    """
    if not path.is_file():
        raise DatasetError(
            f"'{path}' is missing: list the names of the {path.stem} frames in it, one a line and "
            'without ending'
        )
    names = path.read_text().split()
    if not names:
        raise DatasetError(
            f"'{path}' is empty: list the names of the {path.stem} frames, one a line"
        )
    return names
