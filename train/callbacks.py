"""What happens beside the steps of a training: its bar, its checkpoints and its limit of time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint, Timer, TQDMProgressBar


class StepProgressBar(TQDMProgressBar):
    """A bar over all steps of the run, since the training data has no end."""

    @property
    def total_train_batches(self) -> int:
        """Steps of the run."""
        return self.trainer.max_steps

    def get_metrics(self, *arguments) -> dict:
        """What stands beside the bar."""
        return {k: v for k, v in super().get_metrics(*arguments).items() if k != 'v_num'}

    def on_train_epoch_start(self, *arguments) -> None:
        """Name the bar by what it shows; there are no epochs to count."""
        super().on_train_epoch_start(*arguments)
        self.train_progress_bar.set_description('training')

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs, batch, batch_idx: int
    ) -> None:
        """Count the steps, of which each may take several batches."""
        if _ends_step(trainer, batch_idx):
            last = trainer.global_step - 1
            super().on_train_batch_end(trainer, pl_module, outputs, batch, last)


class BestCheckpoint(ModelCheckpoint):
    """The checkpoint of the step with the least loss on validation frames.

    Args:
        folder: Of the run. A run whose folder was moved still knows its best step.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, 'best', monitor='val/loss', save_top_k=1, enable_version_counter=False
        )

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take what was known over, with its paths in the folder as it is now."""
        paths = ('best_model_path', 'kth_best_model_path', 'last_model_path')
        moved = {name: self._here(state_dict[name]) for name in paths}
        best = {self._here(path): score for path, score in state_dict['best_k_models'].items()}
        moved |= {'best_k_models': best, 'dirpath': self.dirpath}
        super().load_state_dict({**state_dict, **moved})

    def _here(self, path: str) -> str:
        return path and str(Path(self.dirpath, Path(path).name))


class LastCheckpoint(Checkpoint):
    """Writes the checkpoint that a run goes on from, always between two steps.

    In the middle of a step it would lack the gradients that were accumulated. A step that is
    validated is written after that: a resumed run does not validate it again, so what is known of
    it must be in there.

    Args:
        path: The checkpoint.
        every: Steps from one to the next.

    Raises:
        ValueError: If `every` is not at least 1.
    """

    def __init__(self, path: Path, every: int) -> None:
        if every < 1:
            raise ValueError(f'checkpoint_every is {every}: give a number of steps, at least 1')
        self._path = path
        self._every = every

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs, batch, batch_idx: int
    ) -> None:
        """Write it if it is time, or if the run is about to end early."""
        if not _ends_step(trainer, batch_idx) or _is_validated(trainer, batch_idx):
            return
        if trainer.should_stop or trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._path)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write it; checkpoint callbacks run in order, so the best step is known by then."""
        if trainer.sanity_checking:
            return
        if _ends_step(trainer, trainer.fit_loop.epoch_loop.batch_idx):
            trainer.save_checkpoint(self._path)


class TimeLimit(Timer):
    """Ends a run between two steps when its time is over; each start has all of the time.

    Args:
        duration: As of Lightning's Timer, such as '00:12:00:00' for twelve hours.
    """

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.time_remaining() <= 0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs, batch, batch_idx: int
    ) -> None:
        """Look at the time when a step is done."""
        if not _ends_step(trainer, batch_idx):
            return
        super().on_train_batch_end(trainer)
        if trainer.should_stop and not _is_validated(trainer, batch_idx):
            # Lightning validates the step that a run ends at; one without a limit does not.
            trainer.limit_val_batches = 0

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the time of this start does not count in the next."""
        return {}


def _ends_step(trainer: L.Trainer, batch_index: int) -> bool:
    """Whether a batch is the last of those whose gradients make a step."""
    return (batch_index + 1) % trainer.accumulate_grad_batches == 0


def _is_validated(trainer: L.Trainer, batch_index: int) -> bool:
    """Whether validation follows a batch because of the interval in steps."""
    interval = trainer.val_check_batch
    if not trainer.enable_validation or not isinstance(interval, int):
        return False
    return (batch_index + 1) % interval == 0
