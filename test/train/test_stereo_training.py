"""Training on stereo pairs, started as a user starts it."""

import csv
import json
import math
from dataclasses import replace

import pytest
import torch

import emu_model
from emu_model import checkpoint, losses
from train.cli import create_cli, run
from train.loss_weighting import HomoscedasticWeights
from train.objectives import activate_depth
from train.pseudo_labels import main as make_labels
from train.reproduce.settings import CONFIGS
from train.stereo.cross_view import CrossViewWeights
from train.stereo.module import StereoDistillationModule, StereoModule

OPTIONS = {'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
JOINT = {'semantic', 'depth', 'semantic_cross_view', 'depth_cross_view'}


@pytest.fixture(scope='module')
def stereo_arguments(arguments, scenes_folder, tmp_path_factory):
    """Command line of a run on eight pairs, but for --output."""
    folder = tmp_path_factory.mktemp('pseudo_labels')
    options = ['--data=synthetic', f'--root={scenes_folder}', '--max-disparity=31', '--workers=1']
    options += [f'--data-options={json.dumps({**OPTIONS, "count": 8})}', f'--output={folder}']
    assert make_labels(options) == 0
    return [
        *arguments,
        f'--data.pseudo_labels={folder}',
        '--data.batch_size=2',
        '--trainer.max_steps=2',
        '--trainer.val_check_interval=2',
        '--keep=last',
    ]


def logged(folder):
    """The terms of the first step."""
    with (folder / 'metrics.csv').open() as file:
        row = next(row for row in csv.DictReader(file) if row.get('train/loss'))
    names = [name for name in row if name.startswith('train/') and row[name]]
    return {name.removeprefix('train/'): float(row[name]) for name in names}


def alone(network):
    return [f'--model.network={network}', '--model.cross_view=false']


INVERSE = ['--model.depth_loss=l1', '--model.depth_target=inverse', '--model.depth_weight=850']


@pytest.fixture(scope='module')
def depth_alone(stereo_arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp('depth_alone')
    arguments = [*stereo_arguments, *alone('DepthFormer'), *INVERSE, f'--output={output}']
    assert run(StereoModule, '', arguments) == 0
    return output


@pytest.fixture(scope='module')
def semantic_alone(stereo_arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp('semantic_alone')
    arguments = [*stereo_arguments, *alone('SegFormer'), f'--output={output}']
    assert run(StereoModule, '', arguments) == 0
    return output


def test_a_task_alone_has_its_own_term_alone(depth_alone, semantic_alone):
    assert set(logged(depth_alone)) == {'depth', 'loss'}
    assert set(logged(semantic_alone)) == {'semantic', 'loss'}


def test_the_joint_network_starts_from_both_and_has_all_terms(
    stereo_arguments, depth_alone, semantic_alone, tmp_path
):
    arguments = [
        *stereo_arguments,
        *INVERSE,
        '--model.semantic_weight=2.5',
        f'--model.depth_network={depth_alone / "network.safetensors"}',
        f'--model.semantic_network={semantic_alone / "network.safetensors"}',
        # No step changes anything, so that what it starts from can be seen at the end.
        '--model.learning_rate=0',
        f'--output={tmp_path}',
    ]
    assert run(StereoModule, '', arguments) == 0
    terms = logged(tmp_path)
    assert set(terms) == {*JOINT, 'loss'}
    total = 850 * terms['depth'] + 2.5 * terms['semantic']
    total += terms['depth_cross_view'] + terms['semantic_cross_view']
    assert terms['loss'] == pytest.approx(total, rel=1e-5)
    joint, depth, semantic = (
        dict(emu_model.load(folder / 'network.safetensors').named_parameters())
        for folder in (tmp_path, depth_alone, semantic_alone)
    )
    for name, value in joint.items():
        source = semantic if name.startswith('heads.semantic') else depth
        torch.testing.assert_close(value, source[name])


def test_a_network_that_does_not_fit_is_refused(stereo_arguments, depth_alone, tmp_path, capsys):
    wrong = f'--model.semantic_network={depth_alone / "network.safetensors"}'
    assert run(StereoModule, '', [*stereo_arguments, wrong, f'--output={tmp_path}']) == 1
    error = capsys.readouterr().err
    assert 'a DepthFormer with mit_b0, does not fit the SegDepthFormer' in error
    assert 'it has no heads.semantic' in error


def test_the_joint_network_keeps_the_normalisation_of_its_encoder(
    stereo_arguments, depth_alone, tmp_path
):
    network = emu_model.load(depth_alone / 'network.safetensors')
    info = replace(network.info, backbone_options={'norm_eps': 1e-5, 'embed_norm_eps': 1e-4})
    checkpoint.save(network, info, tmp_path / 'depth.safetensors')
    options = [f'--model.depth_network={tmp_path / "depth.safetensors"}', '--trainer.max_steps=1']
    assert (
        run(StereoModule, '', [*stereo_arguments, *INVERSE, *options, f'--output={tmp_path}']) == 0
    )
    norms = [
        (name, module.eps)
        for name, module in emu_model.load(tmp_path / 'network.safetensors').named_modules()
        if isinstance(module, torch.nn.LayerNorm)
    ]
    assert len(norms) > 8
    for name, eps in norms:
        assert eps == (1e-4 if 'patch_embed' in name or 'attn' in name else 1e-5), name


@pytest.fixture(scope='module')
def batch(stereo_arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp('unused')
    cli = create_cli(StereoModule, '', [*stereo_arguments, f'--output={output}'])
    return next(iter(cli.datamodule.train_dataloader()))


def module_of(checkpoint, **options):
    """A module with a trained network, outside of any run."""
    module = StereoModule(**options)
    module.network = emu_model.load(checkpoint).train()
    module.info = module.network.info
    module.mean = torch.tensor(module.info.mean).view(1, 3, 1, 1)
    module.std = torch.tensor(module.info.std).view(1, 3, 1, 1)
    for part in module.network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0
    module.network.eval()
    return module


def test_depth_counts_by_its_confidence_in_both_views(trained, batch):
    terms = module_of(trained, depth_loss='l1', cross_view=False).loss_terms(batch)
    expected = unweighted = 0
    network = emu_model.load(trained)
    for prefix in ('', 'right_'):
        image = module_of(trained).normalise(batch[f'{prefix}image'])
        raw = torch.nn.functional.interpolate(network(image)['depth'], (32, 48), mode='bilinear')
        depth, confidence = batch[f'{prefix}depth'], batch[f'{prefix}confidence']
        error = (activate_depth(raw)[0] - depth).abs() * (depth > 0)
        expected += (confidence * error).sum() / confidence.sum()
        unweighted += error.sum() / (depth > 0).sum()
    assert 0 < batch['confidence'].mean() < 1
    assert terms['depth'].item() == pytest.approx(expected.item(), rel=1e-4)
    without = module_of(trained, depth_loss='l1', cross_view=False, confidence=False)
    assert without.loss_terms(batch)['depth'].item() == pytest.approx(unweighted.item(), rel=1e-4)


@pytest.mark.parametrize('warp_depth', ['pseudo', 'predicted'])
def test_cross_view_terms_reach_both_heads(trained, batch, warp_depth):
    module = module_of(trained, depth_loss='l1', warp_depth=warp_depth)
    terms = module.loss_terms(batch)
    assert set(terms) == JOINT
    for task in ('semantic', 'depth'):
        module.zero_grad()
        terms[f'{task}_cross_view'].backward(retain_graph=True)
        gradient = module.network.heads[task].predict.weight.grad
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0
        # The predicted depth also decides where classes are looked up.
        depth = module.network.heads['depth'].predict.weight.grad
        moved = depth is not None and depth.abs().sum() > 0
        assert moved == (task == 'depth' or warp_depth == 'predicted')


def test_a_student_of_pseudo_labels_gives_both_uncertainties(stereo_arguments, trained, tmp_path):
    arguments = [
        *stereo_arguments,
        '--model.depth_loss=gnll',
        f'--model.teacher={trained}',
        f'--model.initial_weights={trained}',
        f'--output={tmp_path}',
    ]
    assert run(StereoDistillationModule, '', arguments) == 0
    terms = logged(tmp_path)
    assert set(terms) == {*JOINT, 'kl', 'rmsle', 'loss'}
    weights = {'kl': 10}
    total = sum(weights.get(name, 1) * value for name, value in terms.items() if name != 'loss')
    assert terms['loss'] == pytest.approx(total, rel=1e-5)
    student, teacher = (
        emu_model.load(path) for path in (tmp_path / 'network.safetensors', trained)
    )
    before = dict(teacher.named_parameters())
    changed = dict(student.named_parameters())
    # The last row of the depth head is the variance.
    name = 'heads.depth.predict.weight'
    assert not torch.equal(changed[name][1], before[name][1])
    engine = emu_model.create_engine(tmp_path / 'network.safetensors', 'torch', 'cpu')
    image = torch.zeros(32, 48, 3, dtype=torch.uint8).numpy()
    maps = engine.predict(image, ('entropy', 'depth_std'))
    assert maps.entropy.max() > 0
    assert maps.depth_std.min() > 0
    assert student.info.training['warp_depth'] == 'pseudo'


def test_the_learning_rate_falls_to_a_tenth_again_and_again():
    module = StereoModule(decay_steps=10)
    factors = [module._learning_rate_factor(step) for step in (0, 9, 10, 19, 20)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_learning_rate_warms_up_before_it_falls():
    module = StereoModule(decay_steps=10, warmup_steps=3)
    factors = [module._learning_rate_factor(step) for step in (0, 1, 2, 3, 9, 10)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.1])


def test_learned_weights_take_the_cross_view_terms_along(trained, batch):
    module = module_of(trained, depth_loss='l1', loss_weighting='homoscedastic')
    assert set(module.term_names()) == JOINT
    terms = module.loss_terms(batch)
    # All s are 0 at first: half of what is a regression, and all of what is a classification.
    total = sum((0.5 if 'depth' in name else 1) * value.item() for name, value in terms.items())
    weighted = HomoscedasticWeights(module.term_names())(terms)
    assert weighted.item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'warp_depth': 'true'}, "warp_depth 'true' is unknown: choose of pseudo, predicted"),
        ({'network': 'SegDepthInstanceFormer'}, 'has the instance task'),
        ({'decay_steps': 0}, 'decay_steps is 0: give 1 or more, or none'),
        (
            {'network': 'SegFormer', 'warp_depth': 'predicted'},
            "network 'SegFormer' predicts no depth to warp views by",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StereoModule(**options)


def test_pseudo_depth_trains_the_variance_by_confidence(trained, batch):
    terms = module_of(trained, depth_loss='gnll', cross_view=False).loss_terms(batch)
    expected = 0
    network = emu_model.load(trained)
    for prefix in ('', 'right_'):
        image = module_of(trained).normalise(batch[f'{prefix}image'])
        raw = torch.nn.functional.interpolate(network(image)['depth'], (32, 48), mode='bilinear')
        mean, variance = activate_depth(raw)
        depth, confidence = batch[f'{prefix}depth'], batch[f'{prefix}confidence']
        known = depth > 0
        likelihood = 0.5 * ((depth - mean).square() / variance + variance.log())[known]
        assert variance.min() > losses.VARIANCE_FLOOR
        expected += (confidence[known] * likelihood).sum() / confidence[known].sum()
    assert terms['depth'].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(
    ('data', 'pairs', 'size'), [('kitti', 22_600, (192, 480)), ('cityscapes', 2975, (96, 256))]
)
def test_both_stages_are_the_papers(data, pairs, size):
    """30 epochs of each task alone at 1e-4, then 20 of both at 1e-5, a tenth after ten."""

    def configured(*configs):
        arguments = [f'--config={CONFIGS / config}.yaml' for config in configs]
        arguments += ['--data.pseudo_labels=labels', '--output=unused']
        return create_cli(StereoModule, '', [*arguments, '--trainer.accelerator=cpu'])

    alone = configured(f'stereo/{data}', 'method/stereo_alone')
    joint = configured(f'stereo/{data}', 'method/stereo_joint', f'stereo/{data}_joint')
    epoch = pairs / alone.config.data.batch_size
    assert alone.trainer.max_steps == math.ceil(30 * epoch)
    assert joint.trainer.max_steps == math.ceil(20 * epoch)
    assert joint.model.hparams.decay_steps == math.ceil(10 * epoch)
    assert (alone.model.hparams.learning_rate, joint.model.hparams.learning_rate) == (1e-4, 1e-5)
    # A power of zero is no decay.
    assert (alone.model.hparams.poly_power, alone.model.hparams.warmup_steps) == (0, 0)
    assert not alone.model.hparams.cross_view
    assert joint.model.hparams.cross_view
    for cli in (alone, joint):
        assert (cli.model.weights['depth'], cli.model.weights['semantic']) == (850, 2.5)
        assert tuple(cli.config.data.resize) == size
        assert cli.config.keep == 'last'
    weights = joint.model._cross_view_weights
    assert weights['depth'] == CrossViewWeights(both=0.5, left=1.0, right=1.0)
    assert weights['semantic'] == CrossViewWeights(both=0.5, left=1.5, right=1.5)
