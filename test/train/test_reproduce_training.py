import subprocess
import sys

import pytest

from train.reproduce import training
from train.reproduce.layout import Layout
from train.reproduce.plan import Run
from train.reproduce.progress import Progress, duration

RUN = Run('student', 'distill', ('data/synthetic.yaml',), ('--seed=1',), {}, steps=10, cost=100.0)


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path)


def finish(layout, run):
    layout.run(run.name).mkdir(parents=True)
    for name in ('network.safetensors', 'best.ckpt', 'last.ckpt'):
        (layout.run(run.name) / name).touch()


def test_several_devices_get_a_process_of_their_own(layout, monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        finish(layout, RUN)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(training.subprocess, 'run', run)
    assert training.train(layout, RUN, ['--trainer.devices=4', '--data.batch_size=2']) == 0
    (command,) = commands
    assert command[:3] == [sys.executable, '-m', 'train.distill']
    # The last of two options holds.
    assert command.index('--trainer.devices=1') < command.index('--trainer.devices=4')
    assert command[-1] == f'--output={layout.root}/runs/student'


def test_what_was_added_reaches_a_run_in_this_process(layout, monkeypatch):
    seen = []
    monkeypatch.setattr(training.cli, 'run', lambda module, _, arguments: seen.append(arguments))
    training.train(layout, RUN, ['--data.workers=8'])
    (arguments,) = seen
    assert arguments[0].endswith('train/configs/data/synthetic.yaml')
    assert {'--seed=1', '--data.workers=8', '--trainer.devices=1'} <= set(arguments)


@pytest.mark.parametrize(('code', 'left'), [(0, False), (130, True)])
def test_training_state_is_kept_until_a_run_is_finished(layout, monkeypatch, code, left):
    finish(layout, RUN)
    monkeypatch.setattr(training.cli, 'run', lambda *_: code)
    assert training.train(layout, RUN, []) == code
    assert (layout.run(RUN.name) / 'last.ckpt').exists() == left
    assert layout.network(RUN.name).exists()


def test_the_pace_so_far_tells_how_long_the_rest_takes(layout):
    other = Run('other', 'fit', (), (), cost=300.0)
    progress = Progress(layout, [RUN, other], first_guess=0.1)
    assert progress.remaining_s() == pytest.approx(40.0)
    progress.add(RUN, 20.0)
    finish(layout, RUN)
    progress.add(RUN, 10.0)
    # Both goes at it count: 30 s for 100, so 90 s for the other 300.
    assert progress.seconds(RUN) == 30.0
    assert progress.remaining_s() == pytest.approx(90.0)
    assert Progress(layout, [RUN, other]).remaining_s(jobs=2) == pytest.approx(45.0)


def test_nothing_is_guessed_where_nothing_is_known(layout):
    assert Progress(layout, [RUN]).remaining_s() is None


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(None, 'unknown'), (4.4, '4 s'), (600, '10 min'), (3 * 3600, '3.0 h')],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text
