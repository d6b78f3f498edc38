"""The ablation of training on stereo pairs: its plan, its report, and a few steps of it."""

import json

import numpy as np
import pytest
from reproduced import result

from train.cli import create_cli
from train.reproduce.command import keep_settings
from train.reproduce.layout import Layout
from train.reproduce.scale import Scale
from train.reproduce.training import command_line
from train.stereo.module import StereoModule
from train.stereo_ablation import __main__ as command
from train.stereo_ablation import settings, trials
from train.stereo_ablation.report import differences, figures_table
from train.stereo_ablation.settings import AblationSettings
from train.stereo_ablation.trials import ALL, VARIANTS, make_plan

TINY = Scale(
    steps=1,
    student_steps=1,
    validations=1,
    train_frames=4,
    validation_frames=2,
    test_frames=2,
    resamples=10,
)


@pytest.fixture
def plan(tmp_path):
    return make_plan(AblationSettings('synthetic', None, ('mit_b0',), 'full'), tmp_path / 'labels')


def test_every_run_is_a_command_that_trains_its_variant(plan, tmp_path):
    for variant in VARIANTS:
        run = plan.runs[f'{variant.name}-1']
        arguments = command_line(Layout(tmp_path), run, ['--trainer.accelerator=cpu'])
        cli = create_cli(StereoModule, '', arguments)
        options = cli.model.hparams
        assert (options.confidence, options.cross_view) == (variant.confidence, variant.cross_view)
        assert (options.warp_depth, options.seed) == (variant.warp_depth, 1000)
        assert (options.depth_target, options.network) == ('inverse', 'SegDepthFormer')
        assert cli.trainer.max_steps == run.steps == 400
        # What a variant starts from was trained with the same confidence.
        depth = plan.runs[run.starts_from['model.depth_network']]
        alone = create_cli(StereoModule, '', command_line(Layout(tmp_path), depth)).model
        assert (alone.hparams.network, alone.hparams.cross_view) == ('DepthFormer', False)
        assert alone.hparams.confidence == variant.confidence


def test_trainings_of_two_encoders_are_not_mixed(tmp_path):
    first, second = (
        AblationSettings('synthetic', None, (name,), 'quick') for name in ('mit_b0', 'mit_b1')
    )
    keep_settings(Layout(tmp_path), first)
    keep_settings(Layout(tmp_path), first)
    with pytest.raises(ValueError, match='another experiment, with backbone mit_b0 instead of mi'):
        keep_settings(Layout(tmp_path), second)


def test_variants_differ_from_everything_in_what_they_say():
    changed = {
        variant.name: {
            option
            for option in ('confidence', 'cross_view', 'warp_depth')
            if getattr(variant, option) != getattr(ALL, option)
        }
        for variant in VARIANTS
    }
    assert changed == {
        'all': set(),
        'no_confidence': {'confidence'},
        'no_cross_view': {'cross_view'},
        'predicted_warp': {'warp_depth'},
        'baseline': {'confidence', 'cross_view'},
    }


def test_figures_are_averaged_over_seeds_and_differences_are_paired():
    resampled = {'semantic.miou': np.array([0.40, 0.50])}
    better = {'semantic.miou': np.array([0.42, 0.53])}
    results = [
        result('all', {'miou': 0.45}, {'rmse': 5.0}, seed=0, resampled=resampled),
        result('all', {'miou': 0.55}, {'rmse': 7.0}, seed=1),
        result('baseline', {'miou': 0.475}, {'rmse': 6.0}, seed=0, resampled=better),
    ]
    rows = {row.label: row for row in figures_table(results).rows}
    assert list(rows) == ['all', 'neither confidence nor cross-view']
    assert rows['all'].values[0] == pytest.approx(0.5)
    assert rows['all'].spreads[0] == pytest.approx(np.std([0.45, 0.55], ddof=1))
    (line,) = [line for line in differences(results).splitlines() if '| neither' in line]
    # The resampled differences are 2 and 3 points of IoU.
    assert '| 0 | +2.5 [+2.0, +3.0] | – | +1.000 [+1.000, +1.000] |' in line


@pytest.mark.slow
def test_the_ablation_goes_on_where_it_stood(scenes_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(settings.SCALES['synthetic'], 'quick', TINY)
    monkeypatch.setattr(trials, 'VARIANTS', VARIANTS[:2])
    output = tmp_path / 'out'
    arguments = ['--scale=quick', f'--root={scenes_folder}', '--device=cpu', f'--output={output}']
    further = ['--', '--data.workers=0', '--trainer.accelerator=cpu', '--data.batch_size=2']
    assert command.main([*arguments, *further]) == 0
    results = json.loads((output / 'results.json').read_text())
    assert [each['variant'] for each in results] == ['all', 'no_confidence']
    assert all(each['figures']['depth']['abs_rel'] > 0 for each in results)
    assert '| no confidence |' in (output / 'results.md').read_text()
    networks = {path: path.stat().st_mtime_ns for path in output.rglob('*.safetensors')}
    capsys.readouterr()
    assert command.main([*arguments, *further]) == 0
    assert 'train' not in capsys.readouterr().out.replace(str(output), '')
    assert {path: path.stat().st_mtime_ns for path in networks} == networks
