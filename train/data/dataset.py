"""What the data sets have in common, and how they are read for training and for evaluation."""

import abc
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from emu_model.labels import UNLABELLED, LabelSet
from train.data.sample import Sample
from train.data.transforms import Transform

SPLITS = ('train', 'validation', 'test')
"""Names of splits; where only one is published for evaluation, both of the latter name it."""


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
        splits: Those of SPLITS that the data set has; those without 'train' are for evaluation.
    """

    name: str
    labels: LabelSet
    labelled: bool = True
    depth_range_m: tuple[float, float]
    things: tuple[int, ...] = ()
    splits: tuple[str, ...] = SPLITS

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, index: int) -> Sample:
        """The plain frame `index`, 0 ≤ index < len(self), from disk."""

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.read(range(len(self))[index]).tensors()


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
        sample = self.dataset.read(index)
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
        sample = self.dataset.read(index)
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
