"""The experiment on task weights: its plan, what it concludes, and a few steps of it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emu_model.checkpoint import CheckpointInfo
from emu_model.tasks import NETWORKS
from train.cli import create_cli
from train.module import NetworkModule
from train.reproduce.command import keep_settings
from train.reproduce.layout import Layout
from train.reproduce.scale import Scale
from train.reproduce.training import command_line
from train.weighting import outcome, settings, trials
from train.weighting.__main__ import main
from train.weighting.outcome import Outcome, best_fixed
from train.weighting.report import comparison, differences
from train.weighting.settings import WeightingSettings
from train.weighting.trials import EQUAL, FIXED, LEARNED, SINGLE, TASKS, Trial, make_plan

TINY = Scale(
    steps=2,
    pretrain_steps=1,
    validations=1,
    frame_size=(32, 48),
    train_frames=8,
    validation_frames=2,
    test_frames=4,
    resamples=10,
)
FEW = [
    Trial(('semantic',), SINGLE),
    Trial(TASKS, LEARNED),
    Trial(('semantic', 'depth'), FIXED, {'depth': 5.0}),
    Trial(TASKS, FIXED, {'depth': 5.0, 'instance': 0.1}),
]


def test_the_trials_are_those_of_the_paper():
    found = {(trial.way, trial.tasks) for trial in trials.make_trials()}
    pairs = {('semantic', 'depth'), ('semantic', 'instance'), ('depth', 'instance')}
    assert {tasks for way, tasks in found if way == SINGLE} == {(task,) for task in TASKS}
    assert {tasks for way, tasks in found if way == LEARNED} == {*pairs, TASKS}
    assert {tasks for way, tasks in found if way == FIXED} == {TASKS, ('semantic', 'depth')}
    assert (EQUAL, TASKS) in found
    names = [trial.name for trial in trials.make_trials()]
    assert len(set(names)) == len(names)


def test_trainings_of_two_encoders_are_not_mixed(tmp_path):
    first, second = (
        WeightingSettings('synthetic', None, (name,), 'quick') for name in ('mit_b0', 'mit_b1')
    )
    keep_settings(Layout(tmp_path), first)
    keep_settings(Layout(tmp_path), first)
    with pytest.raises(ValueError, match='another experiment, with backbone mit_b0 instead of mi'):
        keep_settings(Layout(tmp_path), second)


@pytest.mark.parametrize('data', settings.SCALES)
def test_every_run_is_a_command_that_trains_its_trial(data, tmp_path):
    root = None if data == 'synthetic' else tmp_path
    plan = make_plan(WeightingSettings(data, root, ('mit_b0',), 'full'))
    for trial in trials.make_trials()[::3]:
        arguments = command_line(
            Layout(tmp_path), plan.runs[trial.name], ['--trainer.accelerator=cpu']
        )
        options = create_cli(NetworkModule, '', arguments).model.hparams
        assert NETWORKS[options.network] == trial.tasks
        assert (options.loss_weighting == 'homoscedastic') == (trial.way == LEARNED)
        weights = Path(options.encoder_weights or '').parent.name
        assert weights == ('pretrained' if data == 'synthetic' else '')
        assert (options.depth_loss, options.depth_target) == ('l1', 'inverse')
        weights = {task: getattr(options, f'{task}_weight') for task in TASKS}
        assert weights == {**dict.fromkeys(TASKS, 1.0), **trial.weights}


@dataclass
class Found:
    """A result with figures that are given."""

    report: dict
    resampled: dict

    def figure(self, key):
        task, figure = key.split('.')
        return (self.report.get(task) or {}).get(figure)


def made(trial, miou, offset, imae, test=None, drawn=(0.3, 0.5)):
    figures = {
        'semantic': {'miou': miou},
        'instance': {'offset_error': offset, 'ap50': 0.1},
        'depth': {'imae': imae, 'rmse': 5.0},
    }
    figures = {task: figures[task] for task in trial.tasks}
    weights = {'loss_weights': dict.fromkeys(trial.tasks, 0.5)}
    info = CheckpointInfo(trial.network, 'mit_b0', 256, training=weights, validation=figures)
    resampled = {'semantic.miou': np.array(drawn)}
    return Outcome(trial, Found(test or figures, resampled), info)


def test_the_best_fixed_weights_are_those_with_the_best_product_on_validation_frames():
    grid = [Trial(TASKS, FIXED, {'depth': float(weight)}) for weight in (1, 2, 3)]
    outcomes = [
        made(grid[0], 0.5, 4.0, 10.0),
        # A tenth worse, half the error.
        made(grid[1], 0.45, 4.0, 5.0, test={'semantic': {'miou': 0.01}}),
        made(grid[2], 0.0, 0.1, 0.1),
        made(Trial(TASKS, LEARNED), 0.9, 0.1, 0.1),
    ]
    assert best_fixed(outcomes) is outcomes[1]
    assert best_fixed(outcomes[3:]) is None


def test_the_table_has_a_row_for_each_way_and_the_single_tasks_share_one():
    outcomes = [
        made(Trial(('semantic',), SINGLE), 0.4, 0, 0),
        made(Trial(('instance',), SINGLE), 0, 6.0, 0),
        made(Trial(TASKS, EQUAL), 0.3, 5.0, 20.0),
        made(Trial(('semantic', 'depth'), LEARNED), 0.5, 0, 12.0),
    ]
    table = comparison(outcomes, 'scenes')
    rows = {row.label: row.values for row in table.rows}
    assert rows['each task alone'] == (0.4, 6.0, None, 0.1, None)
    assert rows['three tasks, equal weights'][:3] == (0.3, 5.0, 20.0)
    assert rows['semantic and depth, learned weights'][:3] == (0.5, None, 12.0)
    # The standard deviation of 0.3 and 0.5, in percent.
    assert '| 40.0 ± 10.0 | 6.00 |' in table.markdown()


def test_learned_weights_are_compared_frame_by_frame_with_each_other_way():
    outcomes = [
        made(Trial(('semantic',), SINGLE), 0.4, 0, 0),
        made(Trial(TASKS, EQUAL), 0.3, 5.0, 20.0),
        made(Trial(TASKS, LEARNED), 0.5, 4.0, 12.0, drawn=(0.5, 0.8)),
        made(Trial(('semantic', 'depth'), LEARNED), 0.5, 0, 12.0),
    ]
    lines = differences(outcomes).splitlines()
    # On both resampled test sets, 20 and 30 points of IoU more.
    assert [line for line in lines if line.startswith('| semantic alone')] == [
        '| semantic alone | +10.0 [+20.2, +29.8] | – | – | – | – |'
    ]
    assert [line for line in lines if line.startswith('| equal weights')] == [
        '| equal weights | +20.0 [+20.2, +29.8] | – | – | – | – |'
    ]


@pytest.fixture(scope='module')
def output(tmp_path_factory, scenes_folder):
    """A few trials of two steps."""
    output = tmp_path_factory.mktemp('weighting') / 'out'
    command = [
        '--data=synthetic',
        f'--root={scenes_folder}',
        '--device=cpu',
        f'--output={output}',
        '--',
        '--data.workers=0',
        '--data.batch_size=3',
        '--trainer.accelerator=cpu',
        '--trainer.enable_progress_bar=false',
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.SCALES['synthetic'], 'full', TINY)
        for module in (trials, outcome):
            patch.setattr(module, 'make_trials', lambda: FEW)
        assert main(command) == 0
        before = (output / 'results.json').read_bytes()
        assert main(command) == 0  # nothing is left to do
        assert (output / 'results.json').read_bytes() == before
    return output


def test_results_hold_every_trial_with_its_weights(output):
    results = {row['name']: row for row in json.loads((output / 'results.json').read_text())}
    assert set(results) == {trial.name for trial in FEW}
    fixed = results['fixed_semantic_depth_instance_depth-5_instance-0.1']
    assert fixed['weights'] == {'semantic': 1, 'depth': 5, 'instance': 0.1}
    learned = results['learned_semantic_depth_instance']
    assert all(math.isfinite(weight) for weight in learned['weights'].values())
    figures = learned['figures']
    assert figures['instance']['offset_error'] > 0
    assert figures['depth']['imae'] > 0
    assert results['single_semantic']['figures']['depth'] is None


def test_the_page_shows_the_paper_and_the_figures(output):
    page = (output / 'results.md').read_text()
    assert 'three tasks, best fixed weights (semantic 1, depth 5, instance 0.1)' in page
    assert '| three tasks, learned weights | 63.4 | 3.50 | 0.522 |' in page
    for name in ('two_tasks', 'three_tasks', 'learned'):
        assert f'figures/{name}.png' in page
        assert (output / 'figures' / f'{name}.png').stat().st_size > 5000
