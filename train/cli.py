"""The command line that training and distillation share, on LightningCLI."""

import argparse
import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from emu_model.tasks import NETWORKS
from train.errors import print_error
from train.export import export
from train.module import NetworkModule, TrainingDiverged

NETWORK_FILE = 'network.safetensors'
INTERRUPTED = 130
"""Exit code of a run that was stopped, as shells have it."""

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
        parser.add_argument(
            '--keep',
            choices=('best', 'last'),
            default='best',
            help='the network of which step: the best on validation frames or the last',
        )
        for target in ('model.seed', 'data.seed'):
            parser.link_arguments(
                ('seed', 'member'), target, lambda seed, member: seed * SEEDS_PER_RUN + member
            )
        parser.link_arguments('model.network', 'data.instances', _needs_instances)

    def instantiate_trainer(self, **options) -> L.Trainer:
        """Fit the trainer to what Lightning does not know of the run.

        A progress bar beside enable_progress_bar=False would be an error.
        """
        if self.config_init.trainer.enable_progress_bar is False:
            self.trainer_defaults['callbacks'] = [
                callback
                for callback in self.trainer_defaults['callbacks']
                if not isinstance(callback, StepProgressBar)
            ]
        trainer = super().instantiate_trainer(**options)
        if self.model.hparams.method == 'sub_ensemble' and isinstance(
            trainer.strategy, DDPStrategy
        ):
            # A step trains one set of heads; DDP would wait for the gradients of the others.
            trainer.strategy._ddp_kwargs['find_unused_parameters'] = True
        return trainer


def create_cli(
    module: type[NetworkModule], description: str, arguments: Sequence[str]
) -> TrainingCLI:
    """Module, data and trainer of a command line; nothing is read or trained yet."""
    _quieten()
    return TrainingCLI(
        module,
        module.data_module,
        args=list(arguments),
        run=False,
        auto_configure_optimizers=False,
        seed_everything_default=False,
        save_config_kwargs={'overwrite': True},
        parser_kwargs={'description': description},
        trainer_defaults=_trainer_defaults(*_peek(arguments)),
    )


def run(
    module: type[NetworkModule], description: str, arguments: Sequence[str] | None = None
) -> int:
    """Train as the command line says, or go on where a run in the same folder stood.

    Args:
        module: What is trained.
        description: For --help.
        arguments: The command line; the process's own by default.

    Returns:
        The exit code: 0 when the run is finished, 130 when it was interrupted, 1 after an error,
        which is printed. Where several processes train, all but the first leave with 0 as soon as
        training ends, and the first goes on to write the network.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    output, _ = _peek(arguments)
    network = output / NETWORK_FILE if output else None
    if network and network.is_file():
        print(f'{network} is there already: this run is finished (remove it to train again)')
        return 0
    try:
        cli = create_cli(module, description, arguments)
        last = output / 'last.ckpt'
        resumed = str(last) if last.is_file() else None
        if resumed:
            state = torch.load(last, map_location='cpu', mmap=True, weights_only=False)
            batches = cli.trainer.accumulate_grad_batches
            cli.datamodule.start_step = batches * state['global_step']
            rank_zero_only(print)(f'going on from step {state["global_step"]} ({last})')
        _fit(cli, resumed)
        if cli.trainer.interrupted:
            rank_zero_only(print)(
                f'stopped at step {cli.trainer.global_step}: the same command goes on from the '
                'last checkpoint'
            )
            return INTERRUPTED
        _leave_process_group(cli.trainer)
        if not cli.trainer.is_global_zero:
            return 0
        best = cli.trainer.checkpoint_callback.best_model_path
        kept = Path(best) if best and cli.config.keep == 'best' else None
        export(cli.model, cli.datamodule, kept, network)
    except (TrainingDiverged, OSError, ValueError) as error:
        print_error(error)
        return 1
    print(f'wrote {network}')
    return 0


def _fit(cli: TrainingCLI, resumed: str | None) -> None:
    """Train; trainer.interrupted says whether it was stopped."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=resumed)
    except SystemExit:
        # This is how Lightning leaves after Ctrl+C, which it has ignored from then on.
        if not cli.trainer.interrupted:
            raise
    finally:
        signal.signal(signal.SIGINT, on_interrupt)


def _leave_process_group(trainer: L.Trainer) -> None:
    """Wait for the other processes of the run and part from them.

    Validation of the finished network is one process's work. Its metrics would otherwise wait to
    be summed over processes that are gone.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        trainer.strategy.barrier()
        torch.distributed.destroy_process_group()


def _needs_instances(network: str) -> bool:
    """Whether a network's training needs the ids of objects; one that is unknown fails later."""
    return 'instance' in NETWORKS.get(network, ())


def _peek(arguments: Sequence[str]) -> tuple[Path | None, int]:
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
