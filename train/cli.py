"""The command line that training and distillation share, on LightningCLI."""

import logging
import signal
import sys
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from emu_model.memory import keep_freed_memory
from emu_model.tasks import NETWORKS
from train.callbacks import BestCheckpoint, LastCheckpoint, StepProgressBar, TimeLimit
from train.errors import INTERRUPTED, print_error
from train.export import export
from train.module import NetworkModule, TrainingDiverged
from train.resuming import WholeCheckpointIO, check_options, keep_metrics, read_checkpoint

NETWORK_FILE = 'network.safetensors'
LAST_FILE = 'last.ckpt'

SEEDS_PER_RUN = 1000
"""Member k of a run with seed s trains with seed 1000·s + k."""

TRAINER_DEFAULTS = {
    'max_epochs': -1,
    'check_val_every_n_epoch': None,
    'use_distributed_sampler': False,
    'enable_model_summary': False,
}


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
        """Fit the trainer to the network, and have all that a run leaves in its own folder.

        A configuration that another run has left may name that run's.
        """
        self.trainer_defaults['callbacks'] = self._callbacks()
        trainer = super().instantiate_trainer(
            logger=self._loggers(),
            default_root_dir=str(self.config_init.output),
            val_check_interval=self._batches_between_validations(),
            max_time=None,  # TimeLimit is in the callbacks.
            **options,
        )
        trainer.strategy.checkpoint_io = WholeCheckpointIO()
        if self.model.hparams.method == 'sub_ensemble' and isinstance(
            trainer.strategy, DDPStrategy
        ):
            # A step trains one set of heads; DDP would wait for the gradients of the others.
            trainer.strategy._ddp_kwargs['find_unused_parameters'] = True
        return trainer

    def _callbacks(self) -> list[Callback]:
        output = self.config_init.output
        last = LastCheckpoint(output / LAST_FILE, self.config_init.checkpoint_every)
        callbacks = [BestCheckpoint(output), last, LearningRateMonitor('step')]
        if self.config_init.trainer.max_time is not None:
            callbacks.append(TimeLimit(self.config_init.trainer.max_time))
        # One beside enable_progress_bar=False would be an error.
        if self.config_init.trainer.enable_progress_bar is not False:
            callbacks.append(StepProgressBar(refresh_rate=5))
        return callbacks

    def _batches_between_validations(self) -> int | float | str | timedelta | dict | None:
        """The interval in batches, as Lightning counts it, where it was given in steps."""
        interval = self.config_init.trainer.val_check_interval
        batches = self.config_init.trainer.accumulate_grad_batches
        if batches < 1:
            raise ValueError(f'accumulate_grad_batches is {batches}: give at least 1')
        return interval * batches if isinstance(interval, int) else interval

    def _loggers(self) -> list[Logger]:
        """The run's own, and those of other kinds that are chosen beside them."""
        output = self.config_init.output
        own = [
            # A row that waits to be written is lost when the run is killed.
            CSVLogger(save_dir=output, name='', version='', flush_logs_every_n_steps=1),
            TensorBoardLogger(save_dir=output, name='', version='tensorboard'),
        ]
        chosen = self.config_init.trainer.logger
        chosen = chosen if isinstance(chosen, list) else [chosen]
        loggers = [each for each in chosen if isinstance(each, Logger)]
        kinds = (CSVLogger, TensorBoardLogger)
        return [*own, *(each for each in loggers if not isinstance(each, kinds))]


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
        trainer_defaults=dict(TRAINER_DEFAULTS),
    )


def main(module: type[NetworkModule], description: str) -> int:
    """The whole of a process that trains: as `run`, with memory to reuse between steps."""
    keep_freed_memory()
    return run(module, description)


def run(
    module: type[NetworkModule], description: str, arguments: Sequence[str] | None = None
) -> int:
    """Train as the command line says, or go on where a run in the same folder stood.

    Args:
        module: What is trained.
        description: For --help.
        arguments: The command line; the process's own by default.

    Returns:
        The exit code: 0 when the run is finished, 130 when it was interrupted or its time was
        over, 1 after an error, which is printed. Where several processes train, all but the first
        leave with 0 as soon as training ends, and the first goes on to write the network.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        cli = create_cli(module, description, arguments)
        network = cli.config.output / NETWORK_FILE
        if network.is_file():
            print(f'{network} is there already: this run is finished (remove it to train again)')
            return 0
        if cli.trainer.max_steps < 1:
            raise ValueError(
                f'max_steps is {cli.trainer.max_steps}: give --trainer.max_steps N, since the '
                'training data has no end that max_epochs could count'
            )
        _fit(cli, _prepare_to_resume(cli))
        if cli.trainer.interrupted:
            rank_zero_only(print)(
                f'stopped at step {cli.trainer.global_step}: the same command goes on from the '
                'last checkpoint'
            )
            return INTERRUPTED
        _leave_process_group(cli.trainer)
        if not cli.trainer.is_global_zero:
            return 0
        if _is_out_of_time(cli.trainer):
            print(
                f'time was over at step {cli.trainer.global_step} of {cli.trainer.max_steps}: the '
                'same command goes on from there'
            )
            return INTERRUPTED
        best = cli.trainer.checkpoint_callback.best_model_path
        kept = Path(best) if best and cli.config.keep == 'best' else None
        export(cli.model, cli.datamodule, kept, network)
    except (MisconfigurationException, TrainingDiverged, OSError, ValueError) as error:
        print_error(error)
        return 1
    print(f'wrote {network}')
    return 0


def _prepare_to_resume(cli: TrainingCLI) -> Path | None:
    """The checkpoint that a run goes on from; None for the first step.

    Raises:
        ValueError: If it cannot go on from it.
    """
    last = cli.config.output / LAST_FILE
    if not last.is_file():
        return None
    state = read_checkpoint(last, mmap=True)
    check_options(cli.model.hparams, state, last)
    if cli.trainer.is_global_zero:
        keep_metrics(cli.trainer.logger, state['global_step'])
        print(f'going on from step {state["global_step"]} ({last})')
    return last


def _fit(cli: TrainingCLI, resumed: Path | None) -> None:
    """Train; trainer.interrupted says whether it was stopped."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    precision = torch.get_float32_matmul_precision()
    # For training alone: figures must not depend on what was trained before in this process.
    torch.set_float32_matmul_precision('high')
    try:
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=resumed)
    except SystemExit:
        # This is how Lightning leaves after Ctrl+C, which it has ignored from then on.
        if not cli.trainer.interrupted:
            raise
    finally:
        torch.set_float32_matmul_precision(precision)
        signal.signal(signal.SIGINT, on_interrupt)


def _is_out_of_time(trainer: L.Trainer) -> bool:
    """Whether steps are left that there was no time for."""
    limits = [each for each in trainer.callbacks if isinstance(each, TimeLimit)]
    return trainer.global_step < trainer.max_steps and any(limit.is_over for limit in limits)


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


def _quieten() -> None:
    """Keep Lightning's advice on hardware and workers out of the user's way."""
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    warnings.filterwarnings('ignore', '.*does not have many workers.*')
    warnings.filterwarnings('ignore', '.*exists and is not empty.*')
    warnings.filterwarnings('ignore', '.*is supported only on a GPU.*')
    warnings.filterwarnings('ignore', '.*args parameter is intended.*')
    warnings.filterwarnings('ignore', '.*isinstance.treespec, LeafSpec.*')
