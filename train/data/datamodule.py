"""Ties a data set, its transforms and its order together for Lightning."""

from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from torch.utils.data import DataLoader

from emu_model.labels import LabelSet
from train.data import build
from train.data.dataset import AugmentedDataset, EvaluationDataset, FrameDataset
from train.data.sampler import EndlessSampler, EvaluationSampler
from train.data.transforms import HorizontalFlip, RandomCrop, RandomScale, Resize, Transform

# Frames that the data's mean depth and focal length are estimated from.
_SURVEYED_FRAMES = 64


class FrameDataModule(L.LightningDataModule):
    """Loaders of one data set: endless and augmented for training, plain for evaluation.

    The training loader has no length and shards itself, so the trainer takes `max_steps`,
    `val_check_interval` in batches (train.cli makes them of steps) with
    `check_val_every_n_epoch=None`, and `use_distributed_sampler=False`. Checkpoints of a training
    hold how far it is in its data, and are written between steps.

    Args:
        name: One of train.data.DATASETS.
        root: Folder of the data set; may be None for 'synthetic'.
        batch_size: Frames a step takes in each process: the total over the number of processes.
        crop: (height, width) of training samples; the size of the frames if None.
        scale: Least and greatest random scale.
        flip: How often a training sample is mirrored.
        resize: (height, width) that frames are brought to before anything else; None leaves them.
        evaluation_batch_size: Frames per batch of validation and test in each process.
        workers: Processes that decode, per loader; the samples do not depend on it.
        seed: Of order and augmentation.
        train_split: Split to train on, such as the 'pretrain' scenes of 'synthetic'.
        options: Options of the data set, for all splits.
        train_options: Further ones for training alone, such as a number of synthetic frames.
        evaluation_options: Further ones for validation and test.
        instances: Whether to read the ids of objects too, for the instance task.

    Attributes:
        start_step: Batches of training that each process begins after.
    """

    def __init__(
        self,
        name: str,
        root: Path | None = None,
        *,
        batch_size: int = 8,
        crop: tuple[int, int] | None = None,
        scale: tuple[float, float] = (0.5, 2.0),
        flip: float = 0.5,
        resize: tuple[int, int] | None = None,
        evaluation_batch_size: int = 1,
        workers: int = 2,
        seed: int = 0,
        train_split: str = 'train',
        options: dict[str, Any] | None = None,
        train_options: dict[str, Any] | None = None,
        evaluation_options: dict[str, Any] | None = None,
        instances: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.start_step = 0
        self._root = root
        self._batch_size = batch_size
        self._crop = crop
        self._scale = scale
        self._flip = flip
        self._resize = None if resize is None else Resize(*resize)
        self._evaluation_batch_size = evaluation_batch_size
        self._workers = workers
        self._seed = seed
        self._train_split = train_split
        self._options = {
            'train': {**(options or {}), **(train_options or {})},
            'evaluation': {**(options or {}), **(evaluation_options or {})},
        }
        self._with_instances = {'instances': True} if instances else {}

    # What the data is

    @cached_property
    def train_set(self) -> FrameDataset:
        """Plain training frames."""
        return self._open(self._train_split)

    @cached_property
    def validation_set(self) -> FrameDataset:
        """Plain validation frames."""
        return self._open('validation')

    @cached_property
    def test_set(self) -> FrameDataset:
        """Plain test frames."""
        return self._open('test')

    @property
    def labels(self) -> LabelSet:
        """The classes."""
        return self.train_set.labels

    @property
    def depth_range_m(self) -> tuple[float, float]:
        """(nearest, farthest) depth of the data in metres."""
        return self.train_set.depth_range_m

    @property
    def things(self) -> tuple[int, ...]:
        """Ids of the classes whose objects are told apart."""
        return self.train_set.things

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a plain frame, which a network trained on crops is made to run at."""
        return self._survey['size']

    @property
    def focal_length_px(self) -> float:
        """Median fx at `size` in pixels; crops and random scales keep it."""
        return self._survey['focal_length_px']

    @property
    def mean_depth_m(self) -> float:
        """Mean measured depth in metres, over some training frames spread evenly."""
        return self._survey['mean_depth_m']

    @property
    def description(self) -> str:
        """The training data in a sentence a user can read."""
        return f'{self.name}, {len(self.train_set)} training frames'

    @cached_property
    def _survey(self) -> dict[str, Any]:
        frames = len(self.train_set)
        focal_lengths, depth_sum, depth_count = [], 0.0, 0
        for index in np.linspace(0, frames - 1, min(frames, _SURVEYED_FRAMES)).round().astype(int):
            sample = self.train_set.read(int(index))
            if self._resize is not None:
                sample = self._resize(sample)
            measured = sample.depth[sample.depth > 0]
            focal_lengths.append(sample.intrinsics.fx)
            depth_sum += float(measured.sum(dtype=np.float64))
            depth_count += measured.size
        return {
            'size': sample.size,
            'focal_length_px': float(np.median(focal_lengths)),
            'mean_depth_m': depth_sum / max(1, depth_count),
        }

    # Lightning's hooks

    def prepare_data(self) -> None:
        """Render what is to be rendered, in one process of each node."""
        self._open(self._train_split)
        self._open('validation')

    def train_dataloader(self) -> DataLoader:
        """Endless batches of augmented samples, from `start_step` on."""
        sampler = EndlessSampler(
            len(self.train_set), self._batch_size, self._seed, *self._place(), self.start_step
        )
        dataset = AugmentedDataset(self.train_set, self.transforms(), self._seed)
        return self._loader(dataset, sampler, self._batch_size)

    def val_dataloader(self) -> DataLoader:
        """Plain validation frames, each once."""
        return self._evaluation_loader(self.validation_set)

    def test_dataloader(self) -> DataLoader:
        """Plain test frames, each once."""
        return self._evaluation_loader(self.test_set)

    def state_dict(self) -> dict[str, int]:
        """{'batches': how many each process has taken for the steps that are done}."""
        return {'batches': self.trainer.global_step * self.trainer.accumulate_grad_batches}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Begin after the batches that were taken; the trainer calls this before any loader."""
        self.start_step = state_dict['batches']

    def transforms(self) -> list[Transform]:
        """What a training sample goes through, in order."""
        resize = [] if self._resize is None else [self._resize]
        crop = RandomCrop(*(self._crop or self.size))
        return [*resize, RandomScale(*self._scale), crop, HorizontalFlip(self._flip)]

    def _open(self, split: str) -> FrameDataset:
        options = self._options['train' if split == self._train_split else 'evaluation']
        return build(self.name, self._root, split, **options, **self._with_instances)

    def _place(self) -> tuple[int, int]:
        """Rank and number of processes."""
        trainer = self.trainer
        return (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)

    def _evaluation_loader(self, frames: FrameDataset) -> DataLoader:
        sampler = EvaluationSampler(len(frames), *self._place())
        dataset = EvaluationDataset(frames, self._resize)
        return self._loader(dataset, sampler, self._evaluation_batch_size)

    def _loader(self, dataset, sampler, batch_size: int) -> DataLoader:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_start_worker,
            # Its own, so that making a loader draws nothing from the generator dropout uses.
            generator=torch.Generator().manual_seed(self._seed),
        )


def _start_worker(_: int) -> None:
    # The loader's processes share the cores; OpenCV's threads would only be in each other's way.
    cv2.setNumThreads(0)
