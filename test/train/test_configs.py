"""The configurations of the paper's rows, put together as the documentation puts them."""

import math

import pytest
import yaml

from train.cli import create_cli
from train.data.transforms import JitterStrengths
from train.distillation import DistillationModule
from train.module import NetworkModule
from train.reproduce.settings import CONFIGS

TRAIN_FRAMES = {'nyuv2': 795, 'cityscapes': 2975}
EPOCHS = {'nyuv2': 100, 'cityscapes': 250}
STUDENT_EPOCHS = 100
BATCH_SIZE = 8
PUBLISHED = ('nyuv2', 'cityscapes', 'kitti')


def combine(module, *configs, options=()):
    arguments = [f'--config={CONFIGS / config}.yaml' for config in configs]
    arguments += ['--output=unused', '--trainer.accelerator=cpu', '--trainer.devices=1']
    return create_cli(module, '', [*arguments, *options])


@pytest.mark.parametrize('data', TRAIN_FRAMES)
@pytest.mark.parametrize(
    ('method', 'expected'),
    [
        ('single', ('single', 1, 0.1)),
        ('mc_dropout_20', ('mc_dropout', 10, 0.2)),
        ('mc_dropout_50', ('mc_dropout', 10, 0.5)),
        ('sub_ensemble', ('sub_ensemble', 10, 0.1)),
    ],
)
def test_rows_of_the_grid_are_trained_as_the_paper_says(data, method, expected):
    cli = combine(
        NetworkModule,
        f'data/{data}',
        'network/segdepthformer',
        f'method/{method}',
        options=['--model.backbone=mit_b5', '--member=3'],
    )
    options = cli.model.hparams
    assert (options.method, options.num_samples, options.dropout) == expected
    assert (options.recipe, options.network, options.backbone) == (
        method,
        'SegDepthFormer',
        'mit_b5',
    )
    assert (options.learning_rate, options.head_learning_rate_factor) == (6e-5, 10)
    assert (options.weight_decay, options.poly_power, options.warmup_steps) == (0.01, 0.9, 0)
    assert (options.depth_loss, options.depth_weight, options.seed) == ('gnll', 1.0, 3)
    epochs = EPOCHS[data] * TRAIN_FRAMES[data] / BATCH_SIZE
    assert cli.trainer.max_steps == math.ceil(epochs)


def test_the_last_validation_is_near_the_end():
    checked = set()
    for config in CONFIGS.rglob('*.yaml'):
        trainer = yaml.safe_load(config.read_text()).get('trainer', {})
        if 'max_steps' not in trainer:
            continue
        steps, interval = trainer['max_steps'], trainer['val_check_interval']
        assert steps % interval < steps / 100, config
        if config.stem.startswith(PUBLISHED):
            assert steps // interval >= 10, config
        checked.add(config.parent.name)
    assert checked == {'bundled', 'data', 'stereo', 'student'}


@pytest.mark.parametrize('data', TRAIN_FRAMES)
def test_students_train_for_a_hundred_epochs_with_the_papers_weights(data):
    cli = combine(
        DistillationModule,
        f'data/{data}',
        'network/segdepthformer',
        'method/emuformer',
        f'student/{data}',
        options=['--model.teacher=teacher', '--model.initial_weights=student'],
    )
    tasks = {'semantic': 1.0, 'depth': 1.0, 'instance': 1.0}
    assert cli.model.weights == {**tasks, 'kl': 10.0, 'rmsle': 1.0}
    assert cli.model.hparams.recipe == 'emuformer'
    assert cli.trainer.max_steps == math.ceil(STUDENT_EPOCHS * TRAIN_FRAMES[data] / BATCH_SIZE)


def test_synthetic_scenes_are_shown_to_the_teacher_with_less_jitter():
    configs = ['data/synthetic', 'network/segdepthformer', 'method/emuformer', 'student/synthetic']
    options = ['--model.teacher=teacher', '--model.initial_weights=student']
    usual, less = (
        combine(DistillationModule, *configs, *teacher, options=options).model.jitter
        for teacher in ([], ['teacher/synthetic'])
    )
    assert usual == JitterStrengths()
    assert 0 < less.hue < usual.hue
    assert 0 < less.brightness < usual.brightness


@pytest.mark.parametrize(('data', 'crop'), [('nyuv2', (480, 640)), ('cityscapes', (768, 768))])
def test_crops_and_scales_are_the_papers(data, crop):
    config = combine(NetworkModule, f'data/{data}', 'network/segformer').config.data
    assert (tuple(config.crop), tuple(config.scale), config.flip) == (crop, (0.5, 2.0), 0.5)
    assert (config.name, config.batch_size) == (data, BATCH_SIZE)


@pytest.mark.parametrize(
    ('data', 'kept'), [('nyuv2', 'last'), ('cityscapes', 'last'), ('synthetic', 'best')]
)
def test_no_step_is_chosen_on_the_frames_that_are_reported_on(data, kept):
    assert combine(NetworkModule, f'data/{data}', 'network/segformer').config.keep == kept


@pytest.mark.parametrize('network', ['SegFormer', 'DepthFormer', 'SegDepthFormer'])
def test_each_network_has_a_configuration(network):
    cli = combine(NetworkModule, 'data/synthetic', f'network/{network.lower()}', 'method/single')
    assert cli.model.hparams.network == network
    # From scratch training needs more than the paper's recipe.
    assert cli.model.hparams.learning_rate == 1e-3
    assert cli.trainer.gradient_clip_val == 1.0
