"""The order in which frames are seen: endless for training, once for evaluation."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EndlessSampler(Sampler[tuple[int, int]]):
    """Shuffled epochs without end, shared between processes, that can start at any step.

    All processes walk one stream, epoch after epoch. Step t takes its next batch_size·world_size
    frames and process r the r-th part of them, so each epoch holds each index once over all
    processes, no frame is left out where a batch spans two epochs, and the frames of a step do not
    depend on how many processes share them.

    Args:
        size: Frames of the data set.
        batch_size: Frames a step takes in this process.
        seed: Of the shuffling, not negative.
        rank: This process, 0 ≤ rank < world_size.
        world_size: Number of processes.
        start_step: First step to give; a resumed run passes the number of steps done.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        start_step: int = 0,
    ) -> None:
        if min(size, batch_size, world_size) < 1 or min(seed, start_step) < 0:
            raise ValueError(
                f'size {size}, batch size {batch_size} and world size {world_size} must be at '
                f'least 1, seed {seed} and start step {start_step} at least 0'
            )
        _check_rank(rank, world_size)
        self._size = size
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._start_step = start_step

    def __iter__(self) -> Iterator[tuple[int, int]]:
        step = self._start_step
        epoch, order = -1, None
        while True:
            first = (step * self._world_size + self._rank) * self._batch_size
            for position in range(first, first + self._batch_size):
                if position // self._size != epoch:
                    epoch = position // self._size
                    order = self._shuffled(epoch)
                yield epoch, int(order[position % self._size])
            step += 1

    def _shuffled(self, epoch: int) -> np.ndarray:
        # The spawn key keeps this stream apart from those of the augmentation, which are seeded
        # by [seed, epoch, index]: NumPy pads short seeds with zeros, so index 0 would share it.
        seed = np.random.SeedSequence([self._seed, epoch], spawn_key=(0,))
        return np.random.default_rng(seed).permutation(self._size)


class EvaluationSampler(Sampler[tuple[int, bool]]):
    """Each frame once in order, shared between processes that all take equally many.

    Distributed evaluation hangs if one process runs a batch more than the others, and repeating
    frames to even them out would count them twice. So a pair (index, False) fills up: a frame that
    train.data.dataset.EvaluationDataset strips of everything that a metric counts.

    Args:
        size: Frames of the data set.
        rank: This process, 0 ≤ rank < world_size.
        world_size: Number of processes.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        if min(size, world_size) < 1:
            raise ValueError(f'size {size} and world size {world_size} must be at least 1')
        _check_rank(rank, world_size)
        self._size = size
        self._rank = rank
        self._world_size = world_size

    def __len__(self) -> int:
        return -(-self._size // self._world_size)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        for turn in range(len(self)):
            index = turn * self._world_size + self._rank
            yield (index, True) if index < self._size else (self._size - 1, False)


def _check_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(f'rank {rank} is outside of 0…{world_size - 1}, the {world_size} ranks')
