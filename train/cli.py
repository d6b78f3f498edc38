"""The command line that training and distillation share, on LightningCLI."""

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from train.data.datamodule import FrameDataModule
from train.export import export
from train.module import NetworkModule, TrainingDiverged

NETWORK_FILE = 'network.safetensors'
SEEDS_PER_RUN = 1000
"""Member k of a run with seed s trains with seed 1000·s + k."""


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


class TrainingCLI(LightningCLI):
    """LightningCLI with one seed for everything and a folder for everything a run leaves."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what is neither the model's, the data's nor the trainer's."""
        parser.add_argument('--output', type=Path, required=True, help='folder of the run')
        parser.add_argument('--seed', type=int, default=0, help='of heads, dropout and data')
        parser.add_argument(
            '--member', type=int, default=0, help='number of an ensemble member: shifts the seed'
        )
        parser.add_argument(
            '--checkpoint_every', type=int, default=200, help='steps between checkpoints to resume'
        )
        for target in ('model.seed', 'data.seed'):
            parser.link_arguments(
                ('seed', 'member'), target, lambda seed, member: seed * SEEDS_PER_RUN + member
            )

    def instantiate_trainer(self, **options) -> L.Trainer:
        """Leave the progress bar out where it is not wanted; Lightning takes both for an error."""
        if self.config_init.trainer.enable_progress_bar is False:
            self.trainer_defaults['callbacks'] = [
                callback
                for callback in self.trainer_defaults['callbacks']
                if not isinstance(callback, StepProgressBar)
            ]
        return super().instantiate_trainer(**options)


def run(
    module: type[NetworkModule], description: str, arguments: Sequence[str] | None = None
) -> int:
    """Train as the command line says, or go on; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    output, checkpoint_every = _peek(arguments)
    network = output / NETWORK_FILE if output else None
    if network and network.is_file():
        print(f'{network} is there already: this run is finished (remove it to train again)')
        return 0
    _quieten()
    try:
        cli = TrainingCLI(
            module,
            FrameDataModule,
            args=arguments,
            run=False,
            auto_configure_optimizers=False,
            seed_everything_default=False,
            save_config_kwargs={'overwrite': True},
            parser_kwargs={'description': description},
            trainer_defaults=_trainer_defaults(output, checkpoint_every),
        )
        last = output / 'last.ckpt'
        resumed = str(last) if last.is_file() else None
        if resumed:
            state = torch.load(last, map_location='cpu', mmap=True, weights_only=False)
            cli.datamodule.start_step = state['global_step']
            print(f'going on from step {state["global_step"]} ({last})')
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=resumed)
        if cli.trainer.interrupted:
            print(
                f'stopped at step {cli.trainer.global_step}: the same command goes on from there'
            )
            return 130
        best = cli.trainer.checkpoint_callback.best_model_path
        export(cli.model, cli.datamodule, Path(best) if best else None, network)
    except (TrainingDiverged, OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'wrote {network}')
    return 0


def _peek(arguments: list[str]) -> tuple[Path | None, int]:
    """What the trainer's defaults depend on, before the whole command line is read."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--output', type=Path)
    parser.add_argument('--checkpoint_every', type=int, default=200)
    known, _ = parser.parse_known_args(arguments)
    return known.output, known.checkpoint_every


def _trainer_defaults(output: Path | None, checkpoint_every: int) -> dict:
    if output is None:
        return {}
    best = ModelCheckpoint(
        output, 'best', monitor='val/loss', save_top_k=1, enable_version_counter=False
    )
    last = ModelCheckpoint(
        output, 'last', every_n_train_steps=checkpoint_every, enable_version_counter=False
    )
    return {
        'max_epochs': -1,
        'check_val_every_n_epoch': None,
        'use_distributed_sampler': False,
        'enable_model_summary': False,
        'callbacks': [best, last, LearningRateMonitor('step'), StepProgressBar(refresh_rate=5)],
        'logger': [
            _logger('CSVLogger', output, ''),
            _logger('TensorBoardLogger', output, 'tensorboard'),
        ],
        'default_root_dir': str(output),
    }


def _logger(name: str, output: Path, version: str) -> dict:
    """A logger by its name, so that the saved configuration can name it too."""
    return {
        'class_path': f'lightning.pytorch.loggers.{name}',
        'init_args': {'save_dir': str(output), 'name': '', 'version': version},
    }


def _quieten() -> None:
    """Keep Lightning's advice on hardware and workers out of the user's way."""
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    warnings.filterwarnings('ignore', '.*does not have many workers.*')
    warnings.filterwarnings('ignore', '.*exists and is not empty.*')
    warnings.filterwarnings('ignore', '.*is supported only on a GPU.*')
    warnings.filterwarnings('ignore', '.*args parameter is intended.*')
    warnings.filterwarnings('ignore', '.*isinstance.treespec, LeafSpec.*')
    torch.set_float32_matmul_precision('high')
