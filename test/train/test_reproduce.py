"""A whole experiment of a few steps, stopped and continued."""

import json

import numpy as np
import pytest

import emu_model
from train.module import NetworkModule
from train.reproduce import scale
from train.reproduce.__main__ import main

TINY = scale.Scale(
    members=2,
    passes=2,
    steps=3,
    student_steps=2,
    pretrain_steps=2,
    validations=1,
    frame_size=(32, 48),
    train_frames=8,
    validation_frames=2,
    test_frames=4,
    shifted_frames=2,
    resamples=20,
)
RUNS = (
    'pretrained',
    *(
        f'segdepthformer-{run}'
        for run in ('single-0', 'single-1', 'emuformer-0', 'single_finetuned-0')
    ),
)


@pytest.fixture(scope='module')
def output(tmp_path_factory):
    return tmp_path_factory.mktemp('experiment') / 'out'


@pytest.fixture(scope='module')
def command(output, scenes_folder):
    return [
        '--data=synthetic',
        f'--root={scenes_folder}',
        '--backbone=mit_b0',
        '--studies=student',
        '--device=cpu',
        '--seeds=1',
        f'--output={output}',
        '--',
        '--data.workers=0',
        '--data.batch_size=3',
        '--trainer.accelerator=cpu',
        '--trainer.enable_progress_bar=false',
        '--checkpoint_every=1',
    ]


@pytest.fixture(scope='module', autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scale.SCALES['synthetic'], 'full', TINY)
        yield


@pytest.fixture(scope='module')
def files_when_stopped(command, output):
    """The experiment, stopped in the third run and continued; its files when it was stopped."""
    train_step = NetworkModule.training_step

    def stop_in_the_second_member(self, batch, batch_index):
        if self.hparams.seed == 1 and self.global_step == 2:
            raise KeyboardInterrupt
        return train_step(self, batch, batch_index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkModule, 'training_step', stop_in_the_second_member)
        assert main(command) == 130
    files = {
        path.relative_to(output): path.stat().st_mtime_ns
        for path in output.rglob('*')
        if path.is_file()
    }
    assert main(command) == 0
    return files


@pytest.fixture(scope='module')
def results(files_when_stopped, output):
    return json.loads((output / 'results.json').read_text())


def test_what_was_finished_is_not_done_again(files_when_stopped, output):
    finished = [
        path
        for path in files_when_stopped
        if path.name == 'network.safetensors' or path.parent.name == 'evaluations'
    ]
    assert {path.parts[1] for path in finished} >= {
        'mit_b0-pretrained',
        'mit_b0-segdepthformer-single-0',
        'mit_b0-segdepthformer-single-0.json',
    }
    for path in finished:
        assert (output / path).stat().st_mtime_ns == files_when_stopped[path]


def test_a_run_that_was_stopped_goes_on_where_it_stood(files_when_stopped, output):
    run = 'runs/mit_b0-segdepthformer-single-1'
    assert any(str(path) == f'{run}/last.ckpt' for path in files_when_stopped)
    info = emu_model.load(output / run / 'network.safetensors').info
    assert info.training['steps'] == 3
    lines = (output / run / 'metrics.csv').read_text().splitlines()
    assert len(lines) > 1


def test_every_run_leaves_its_network_and_no_training_state(files_when_stopped, output):
    left = {path.parent.name for path in output.glob('runs/*/network.safetensors')}
    assert left == {f'mit_b0-{run}' for run in RUNS}
    assert not list(output.glob('runs/*/*.ckpt'))


def test_results_are_one_object_for_each_network(results):
    methods = [result['method'] for result in results]
    assert methods == ['single', 'ensemble', 'emuformer', 'single_finetuned']
    for result in results:
        assert result['network'] == 'SegDepthFormer'
        assert 0 <= result['semantic']['miou'] <= 1
        assert result['depth']['rmse'] > 0
        assert set(result['shift_auroc']['entropy']) == {'fog', 'night', 'unknown_objects', 'all'}
        assert result['inference_ms']['engine'] == 'torch'
    parameters = [result['parameters'] for result in results]
    assert parameters[1] == 2 * parameters[0] == 2 * parameters[2]


def test_networks_are_what_the_plan_says(files_when_stopped, output):
    training = {
        run: emu_model.load(output / f'runs/mit_b0-{run}/network.safetensors').info.training
        for run in RUNS
    }
    assert [training[run]['recipe'] for run in RUNS] == [
        'pretrained',
        'single',
        'single',
        'emuformer',
        'single_finetuned',
    ]
    assert [training[run]['seed'] for run in RUNS] == [0, 0, 1, 1000, 1000]
    assert training[RUNS[1]]['encoder_weights'].endswith('mit_b0-pretrained/network.safetensors')
    assert training[RUNS[3]]['teacher'].endswith('ensembles/mit_b0-segdepthformer-ensemble')


def test_the_report_has_tables_claims_and_figures(files_when_stopped, output):
    text = (output / 'results.md').read_text()
    for heading in (
        '# EMUFormer on synthetic scenes',
        '### Tables 4, 5: baseline, teacher and student (synthetic scenes, mit_b0)',
        '### EMUFormer is better than its baseline, at the same cost',
        '## What training cost',
    ):
        assert heading in text
    figures = {path.name for path in (output / 'figures').iterdir()}
    assert figures == {
        'qualitative.jpg',
        'reliability.png',
        'risk_coverage.png',
        'sparsification.png',
        'speed_quality.png',
    }
    assert all(f'(figures/{name})' in text for name in figures)


def test_verdicts_rest_on_the_resampled_frames(files_when_stopped, output):
    claims = json.loads((output / 'tables.json').read_text())['claims']
    claim = next(claim for claim in claims if claim['figure'] == 'depth.rmse')
    sides = [
        np.load(output / f'evaluations/mit_b0-segdepthformer-{name}.npz')['resampled/depth.rmse']
        for name in ('emuformer-0', 'single-0')
    ]
    assert len(sides[0]) == TINY.resamples
    assert claim['interval'] == pytest.approx(np.quantile(sides[0] - sides[1], (0.025, 0.975)))


def test_nothing_is_left_to_do_of_a_finished_experiment(files_when_stopped, command, capsys):
    assert main([*command[:1], '--plan', *command[1:]]) == 0
    *tasks, total = capsys.readouterr().out.splitlines()
    assert len(tasks) == 9
    assert all(line.endswith('done') for line in tasks)
    assert total.endswith('time to go: 0 s')


def test_a_folder_is_for_one_experiment(files_when_stopped, command, capsys):
    assert main([*command[:1], '--scale=quick', *command[1:]]) == 1
    message = capsys.readouterr().err
    assert "out' holds another experiment, with steps 3 instead of 40," in message


def test_the_plan_is_shown_without_starting_it(tmp_path, capsys):
    output = tmp_path / 'out'
    assert main(['--data=nyuv2', f'--output={output}', '--plan']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'train mit_b2-segdepthformer-single-0' in lines[0]
    assert '9938 steps' in lines[0]
    assert lines[-1] == '43 runs and 19 evaluations, time to go: unknown'
    assert not output.exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--data=nyuv2'], 'starts from ImageNet weights: give --encoder-weights'),
        (['--data=nyuv2', '--encoder-weights=absent'], "no checkpoint at 'absent/mit_b2"),
        (['--data=nyuv2', '--scale=large'], "no scale 'large' of nyuv2: choose of full, quick"),
        (['--data=synthetic', '--backbone=mit_b9'], "no backbone 'mit_b9'"),
        (['--data=synthetic', '--seeds=0'], '0 seeds: give at least 1'),
    ],
)
def test_what_cannot_work_is_said_at_once(arguments, message, tmp_path, capsys):
    assert main([*arguments, f'--output={tmp_path}/out']) == 1
    assert message in capsys.readouterr().err
