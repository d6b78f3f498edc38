"""What a run leaves in its folder, and how it goes on from there."""

import csv
import json
import tempfile
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import timer

import emu_model
from emu_model.checkpoint import read_info
from train.cli import create_cli, run
from train.module import NetworkModule
from train.resuming import read_checkpoint


@pytest.fixture
def arguments(arguments):
    return [*arguments, '--trainer.max_steps=2', '--trainer.val_check_interval=1']


def logged(folder, key):
    """The values of a key in the order they were written, by step."""
    with (folder / 'metrics.csv').open() as file:
        return [(int(row['step']), row[key]) for row in csv.DictReader(file) if row.get(key)]


def steps_of(folder, key):
    """The steps at which a key was logged."""
    return [step for step, _ in logged(folder, key)]


def assert_logged_alike(resumed, whole, key):
    """Compare what two runs logged."""
    expected, found = ([float(value) for _, value in logged(run, key)] for run in (whole, resumed))
    assert found == pytest.approx(expected, rel=1e-6)


def stop_at(step, arguments, *, batches=0):
    """Train until Ctrl+C in a step, when some batches of it are done."""
    training_step = NetworkModule.training_step

    def stop(self, batch, batch_index):
        done = batch_index % self.trainer.accumulate_grad_batches
        if (self.global_step, done) == (step, batches):
            raise KeyboardInterrupt
        return training_step(self, batch, batch_index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkModule, 'training_step', stop)
        assert run(NetworkModule, '', arguments) == 130


def test_metrics_of_a_resumed_run_are_those_of_one_that_was_not_stopped(arguments, tmp_path):
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    arguments = [*arguments, '--trainer.max_steps=4', '--checkpoint_every=2']
    assert run(NetworkModule, '', [*arguments, f'--output={whole}']) == 0
    # The third step is logged and done again.
    stop_at(3, [*arguments, f'--output={stopped}'])
    assert run(NetworkModule, '', [*arguments, f'--output={stopped}']) == 0
    for key in ('train/loss', 'val/loss', 'lr-AdamW/pg1'):
        assert steps_of(stopped, key) == [0, 1, 2, 3]
        assert_logged_alike(stopped, whole, key)


def test_a_run_that_is_stopped_in_the_middle_of_a_step_does_that_step_again(arguments, tmp_path):
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    arguments = [*arguments, '--trainer.max_steps=3', '--trainer.accumulate_grad_batches=2']
    assert run(NetworkModule, '', [*arguments, f'--output={whole}']) == 0
    stop_at(1, [*arguments, f'--output={stopped}'], batches=1)
    # What a resumed run has written by then is gone on from too.
    stop_at(1, [*arguments, f'--output={stopped}'], batches=1)
    assert run(NetworkModule, '', [*arguments, f'--output={stopped}']) == 0
    for key in ('train/loss', 'val/loss'):
        assert steps_of(stopped, key) == [0, 1, 2]
        assert_logged_alike(stopped, whole, key)


def test_a_validation_that_is_stopped_is_made_up_for(arguments, tmp_path, monkeypatch):
    arguments = [*arguments, '--trainer.max_steps=3', f'--output={tmp_path}']

    def stop(self, *_):
        if self.global_step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NetworkModule, 'on_validation_batch_start', stop)
        assert run(NetworkModule, '', arguments) == 130
    assert run(NetworkModule, '', arguments) == 0
    assert steps_of(tmp_path, 'val/loss') == [0, 1, 2]


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds by the clock of time limits, in which each batch takes one."""
    now = SimpleNamespace(s=0)
    training_step = NetworkModule.training_step

    def take_a_second(self, *batch):
        now.s += 1
        return training_step(self, *batch)

    monkeypatch.setattr(NetworkModule, 'training_step', take_a_second)
    monkeypatch.setattr(timer, 'time', SimpleNamespace(monotonic=lambda: now.s))
    return now


def test_a_run_whose_time_is_over_goes_on_with_the_same_command(
    arguments, tmp_path, clock, capsys
):
    whole, limited = tmp_path / 'whole', tmp_path / 'limited'
    arguments = [*arguments, '--trainer.max_steps=7', '--trainer.val_check_interval=2']
    arguments += ['--trainer.accumulate_grad_batches=2', '--checkpoint_every=100']
    assert run(NetworkModule, '', [*arguments, f'--output={whole}']) == 0
    # The fifth second is in the middle of the third step; the sixth step is validated.
    arguments += ['--trainer.max_time=00:00:00:05', f'--output={limited}']
    for steps in (3, 6):
        capsys.readouterr()
        assert run(NetworkModule, '', arguments) == 130
        assert f'time was over at step {steps} of 7: the same command' in capsys.readouterr().out
        assert read_checkpoint(limited / 'last.ckpt')['global_step'] == steps
        assert not (limited / 'network.safetensors').exists()
    assert run(NetworkModule, '', arguments) == 0
    assert (limited / 'network.safetensors').exists()
    assert steps_of(limited, 'train/loss') == list(range(7))
    assert steps_of(limited, 'val/loss') == [1, 3, 5]
    for key in ('train/loss', 'val/loss'):
        assert_logged_alike(limited, whole, key)


def test_a_run_that_other_callbacks_end_early_is_finished(arguments, tmp_path):
    stopping = {'class_path': 'EarlyStopping', 'init_args': {'monitor': 'val/loss'}}
    stopping['init_args'] |= {'stopping_threshold': 1e9}
    options = ['--trainer.max_steps=9', '--trainer.max_time=01:00:00:00', f'--output={tmp_path}']
    options.append(f'--trainer.callbacks+={json.dumps(stopping)}')
    assert run(NetworkModule, '', [*arguments, *options]) == 0
    assert read_checkpoint(tmp_path / 'last.ckpt')['global_step'] == 1
    assert (tmp_path / 'network.safetensors').exists()


def test_a_run_whose_folder_was_moved_knows_its_best_step(arguments, tmp_path, monkeypatch):
    losses = {0: 9.0, 1: 1.0, 2: 4.0, 3: 3.0}

    def log_loss(self):
        self.log('val/loss', losses[self.global_step])

    monkeypatch.setattr(NetworkModule, 'on_validation_epoch_end', log_loss)
    arguments = [*arguments, '--trainer.max_steps=3']
    stop_at(2, [*arguments, f'--output={tmp_path}/old'])
    (tmp_path / 'old').rename(tmp_path / 'new')
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}/new']) == 0
    best = read_checkpoint(tmp_path / 'new' / 'best.ckpt')
    assert best['global_step'] == 1
    network = emu_model.load(tmp_path / 'new' / 'network.safetensors')
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, best['state_dict'][f'network.{name}'])


def test_a_resumed_run_knows_the_best_step_before(arguments, tmp_path, monkeypatch):
    losses = {0: 9.0, 1: 4.0, 2: 1.0, 3: 3.0, 4: 2.0}

    def log_loss(self):
        self.log('val/loss', losses[self.global_step])

    monkeypatch.setattr(NetworkModule, 'on_validation_epoch_end', log_loss)
    arguments = [*arguments, '--trainer.max_steps=4', '--checkpoint_every=1']
    arguments = [*arguments, f'--output={tmp_path}']
    for step in (2, 3):
        stop_at(step, arguments)
        assert read_checkpoint(tmp_path / 'last.ckpt')['global_step'] == step
    assert run(NetworkModule, '', arguments) == 0
    assert read_checkpoint(tmp_path / 'best.ckpt')['global_step'] == 2


def test_going_on_with_other_options_is_refused(arguments, tmp_path, capsys):
    arguments = [*arguments, f'--output={tmp_path}']
    stop_at(1, arguments)
    before = {name: (tmp_path / name).read_bytes() for name in ('config.yaml', 'metrics.csv')}
    others = ['--model.learning_rate=1e-2', '--seed=1']
    assert run(NetworkModule, '', [*arguments, *others]) == 1
    message = capsys.readouterr().err
    assert 'learning_rate 0.001, not 0.01; seed 0, not 1000: go on with the options' in message
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    assert run(NetworkModule, '', arguments) == 0
    assert read_info(tmp_path / 'network.safetensors').training['learning_rate'] == 1e-3


def test_the_configuration_of_another_run_leaves_that_run_alone(arguments, tmp_path):
    first, second = tmp_path / 'first', tmp_path / 'second'
    assert run(NetworkModule, '', [*arguments, f'--output={first}']) == 0
    before = {file: file.read_bytes() for file in first.rglob('*') if file.is_file()}
    logger = {
        'class_path': 'lightning.pytorch.loggers.CSVLogger',
        'init_args': {'save_dir': str(first), 'name': '', 'version': ''},
    }
    of_first = {'default_root_dir': str(first), 'logger': [logger]}
    config = tmp_path / 'of_first.yaml'
    config.write_text(json.dumps({'trainer': of_first}))
    options = [f'--config={first}/config.yaml', f'--config={config}', f'--output={second}']
    assert run(NetworkModule, '', options) == 0
    assert before == {file: file.read_bytes() for file in first.rglob('*') if file.is_file()}
    assert {file.name for file in second.iterdir()} == {file.name for file in first.iterdir()}


def test_a_logger_that_is_chosen_comes_beside_those_of_the_run(arguments, tmp_path):
    chosen = '--trainer.logger=lightning.pytorch.loggers.logger.DummyLogger'
    cli = create_cli(NetworkModule, '', [*arguments, chosen, f'--output={tmp_path}'])
    kinds = [type(logger).__name__ for logger in cli.trainer.loggers]
    assert kinds == ['CSVLogger', 'TensorBoardLogger', 'DummyLogger']


def test_a_configuration_may_name_the_folder(arguments, tmp_path, capsys):
    output = tmp_path / 'run'
    config = tmp_path / 'config.yaml'
    config.write_text(f'output: {output}\ncheckpoint_every: 2\n')
    # Validation would write the checkpoint too.
    options = [*arguments, '--trainer.max_steps=3', '--trainer.limit_val_batches=0']
    options += [f'--config={config}', '--keep=last']
    assert run(NetworkModule, '', options) == 0
    assert read_checkpoint(output / 'last.ckpt')['global_step'] == 2
    assert logged(output, 'train/loss')
    assert run(NetworkModule, '', options) == 0
    assert 'is there already: this run is finished' in capsys.readouterr().out


def test_a_checkpoint_that_cannot_be_read_is_named(arguments, tmp_path, capsys):
    arguments = [*arguments, f'--output={tmp_path}']
    stop_at(1, arguments)
    last = tmp_path / 'last.ckpt'
    last.write_bytes(last.read_bytes()[:-5000])
    assert run(NetworkModule, '', arguments) == 1
    assert f"'{last}' is truncated, or is no checkpoint" in capsys.readouterr().err
    last.unlink()
    assert run(NetworkModule, '', arguments) == 0


def test_checkpoints_are_written_beside_the_ones_they_replace(arguments, tmp_path, monkeypatch):
    cli = create_cli(NetworkModule, '', [*arguments, f'--output={tmp_path}'])
    # A file made in another folder may have to be copied, and the copy be cut off.
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'absent'))
    save, last = cli.trainer.strategy.checkpoint_io.save_checkpoint, tmp_path / 'last.ckpt'
    save({'global_step': 1}, last)
    with last.open('rb') as replaced:
        save({'global_step': 2}, last)
        assert torch.load(replaced, weights_only=True) == {'global_step': 1}
    assert torch.load(last, weights_only=True) == {'global_step': 2}
    assert [file.name for file in tmp_path.iterdir()] == ['last.ckpt']


def test_a_training_changes_the_precision_of_no_later_evaluation(arguments, tmp_path, monkeypatch):
    found = {}

    def note(name):
        def hook(self):
            found[name] = torch.get_float32_matmul_precision()

        return hook

    monkeypatch.setattr(NetworkModule, 'on_train_start', note('training'))
    torch.set_float32_matmul_precision('highest')
    assert run(NetworkModule, '', [*arguments, f'--output={tmp_path}']) == 0
    assert found == {'training': 'high'}
    assert torch.get_float32_matmul_precision() == 'highest'
