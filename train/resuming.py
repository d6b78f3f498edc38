"""What a stopped training goes on from: its checkpoint, its options and its metrics."""

import csv
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from emu_model.files import written_aside


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, of which a file is never half written.

    Its own are moved there from the folder for temporary files, which is a copy where that is on
    another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        with written_aside(path) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(self, path: str | Path, *_, **__) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, as `read_checkpoint` does."""
        return read_checkpoint(path)


def read_checkpoint(path: str | Path, *, mmap: bool = False) -> dict[str, Any]:
    """Read a Lightning checkpoint onto the CPU; no code in it is run.

    Args:
        path: The file.
        mmap: Whether tensors are read when they are used.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        return torch.load(path, map_location='cpu', mmap=mmap, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"'{path}' is truncated, or is no checkpoint of a training: remove it to train from "
            'the first step'
        ) from error


def check_options(options: Mapping[str, Any], state: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with other options of the model than those that a run began with.

    Args:
        options: Those it would go on with.
        state: The content of its checkpoint.
        path: The checkpoint.

    Raises:
        ValueError: If one differs.
    """
    changed = [
        f'{name} {value}, not {options.get(name)}'
        for name, value in state['hyper_parameters'].items()
        if not name.startswith('_') and options.get(name) != value  # _… are Lightning's own
    ]
    if changed:
        raise ValueError(
            f"'{path}' is of a training with {'; '.join(changed)}: go on with the options that it "
            'began with, or give another --output'
        )


def keep_metrics(logger: CSVLogger, steps: int) -> None:
    """Keep the rows of the first steps in a run's metrics.csv, which the logger would delete.

    Args:
        logger: The logger of the run, before its first row.
        steps: Number of steps that the run goes on from.
    """
    path = Path(logger.log_dir, 'metrics.csv')
    if not path.is_file():
        return
    with path.open(newline='') as file:
        rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    # Making the writer is what deletes the file.
    logger.experiment.metrics = [row for row in rows if int(row.get('step', steps)) < steps]
    logger.save()
