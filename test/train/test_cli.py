"""The command line's bar, and the errors that commands which train several networks print."""

import argparse

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from train.cli import create_cli
from train.module import NetworkModule
from train.reproduce.command import run_command


def test_the_bar_counts_steps_where_each_takes_several_batches(arguments, tmp_path):
    options = ['--trainer.enable_progress_bar=true', '--trainer.max_steps=3']
    options += ['--trainer.accumulate_grad_batches=2', f'--output={tmp_path}']
    cli = create_cli(NetworkModule, '', [*arguments, *options])
    cli.trainer.fit(cli.model, cli.datamodule)
    bar = cli.trainer.progress_bar_callback.train_progress_bar
    assert (bar.n, bar.total) == (3, 3)


def test_a_configuration_that_lightning_refuses_is_an_error_like_others(capsys):
    def refuse(options, further):
        raise MisconfigurationException('No supported gpu backend found!')

    assert run_command([], lambda _: argparse.Namespace(), refuse) == 1
    assert capsys.readouterr().err == 'error: No supported gpu backend found!\n'
