import csv
import dataclasses

import pytest
import torch

import emu_model
from emu_model import checkpoint, losses
from emu_model.networks import Network
from emu_model.sampling import predict_distribution
from train.cli import run
from train.data.transforms import JitterStrengths
from train.distillation import DistillationModule

NO_JITTER = JitterStrengths(brightness=0, contrast=0, saturation=0, hue=0)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        'image': torch.rand(2, 3, 32, 48, generator=generator),
        'classes': torch.randint(0, 3, (2, 32, 48), generator=generator),
        'depth': 5 * torch.rand(2, 32, 48, generator=generator),
        'not_padding': torch.rand(2, 32, 48, generator=generator) > 0.2,
    }


@pytest.fixture
def module(trained):
    """A student that is its own teacher, outside of any run."""
    module = DistillationModule(teacher=trained, initial_weights=trained, jitter=NO_JITTER)
    module.network = emu_model.load(trained)
    module.info = module.network.info
    module.mean = torch.tensor(module.info.mean).view(1, 3, 1, 1)
    module.std = torch.tensor(module.info.std).view(1, 3, 1, 1)
    module.on_fit_start()
    return module


def test_terms_are_those_of_the_paper(module, batch):
    terms = module.loss_terms(batch)
    image = module.normalise(batch['image'])
    size = (32, 48)
    raw = module.network(image)
    logits = torch.nn.functional.interpolate(raw['semantic'], size, mode='bilinear')
    distribution = predict_distribution(module.network, image, size)
    assert terms['semantic'].item() == pytest.approx(
        losses.cross_entropy(logits, batch['classes']).item()
    )
    gnll = losses.gaussian_nll(
        distribution.depth, distribution.depth_variance, batch['depth'], batch['depth'] > 0
    )
    assert terms['depth'].item() == pytest.approx(gnll.item(), rel=1e-5)
    assert set(terms) == {'semantic', 'depth', 'kl', 'rmsle'}
    tasks = {'semantic': 1.0, 'depth': 1.0, 'instance': 1.0}
    assert module.weights == {**tasks, 'kl': 10.0, 'rmsle': 1.0}


def test_a_student_that_is_its_teacher_has_nothing_to_learn_from_it(module, batch):
    terms = module.loss_terms(batch)
    assert terms['kl'].item() == pytest.approx(0, abs=1e-6)
    # The root's eps leaves 1e-4.
    assert terms['rmsle'].item() == pytest.approx(1e-4, rel=0.01)


def test_a_teacher_for_another_focal_length_is_rescaled(module, batch):
    module.info = dataclasses.replace(module.info, focal_length_px=2 * module.info.focal_length_px)
    module.on_fit_start()
    terms = module.loss_terms(batch)
    variance = predict_distribution(
        module.network, module.normalise(batch['image']), (32, 48)
    ).depth_variance[batch['not_padding']]
    # The teacher is the student, but everything is twice as far for it.
    apart = torch.log1p(4 * variance) - torch.log1p(variance)
    assert terms['rmsle'].item() == pytest.approx(apart.square().mean().sqrt().item(), rel=1e-4)


def test_the_teacher_alone_sees_other_colours(module, batch):
    seen = []
    module._teacher[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module.jitter = JitterStrengths()
    torch.manual_seed(0)
    assert module.loss_terms(batch)['kl'] > 0
    assert not torch.allclose(seen[0], module.normalise(batch['image']))


def test_the_teacher_is_not_part_of_the_student(module):
    assert all(name.startswith('network.') for name in module.state_dict())
    assert not any(weight.requires_grad for weight in module._teacher[0].parameters())


def test_a_student_is_distilled_from_an_ensemble(arguments, trained, tmp_path):
    checkpoint.save_ensemble(tmp_path / 'teacher', [trained, trained])
    options = [
        f'--model.teacher={tmp_path}/teacher',
        f'--model.initial_weights={trained}',
        f'--output={tmp_path}/student',
        '--trainer.max_steps=2',
    ]
    assert run(DistillationModule, '', [*arguments, *options]) == 0
    student = emu_model.load(tmp_path / 'student' / 'network.safetensors')
    assert student.info.method == 'single'
    assert student.info.training['kl_weight'] == 10
    with (tmp_path / 'student' / 'metrics.csv').open() as file:
        logged = next(row for row in csv.DictReader(file) if row['train/loss'])
    total = sum(
        weight * float(logged[f'train/{term}'])
        for term, weight in {'semantic': 1, 'depth': 1, 'kl': 10, 'rmsle': 1}.items()
    )
    assert float(logged['train/loss']) == pytest.approx(total, rel=1e-5)


@pytest.fixture
def unsure_of_nothing(trained, tmp_path):
    """A teacher whose depth loss left its variance alone."""
    network = emu_model.load(trained)
    training = {**network.info.training, 'depth_loss': 'l1'}
    info = dataclasses.replace(network.info, training=training)
    checkpoint.save(network, info, tmp_path / 'teacher.safetensors')
    return tmp_path / 'teacher.safetensors'


@pytest.mark.parametrize(
    'options', [[], ['--model.loss_weighting=homoscedastic', '--model.depth_loss=l1']]
)
def test_a_variance_that_was_not_trained_is_not_taught(
    options, arguments, unsure_of_nothing, tmp_path, capsys
):
    options = [*options, f'--model.teacher={unsure_of_nothing}', f'--output={tmp_path}/out']
    assert run(DistillationModule, '', [*arguments, *options, '--trainer.max_steps=1']) == 1
    error = capsys.readouterr().err
    assert "was trained with depth_loss 'l1', which leaves the variance" in error
    assert '--model.rmsle_weight 0' in error


@pytest.mark.parametrize('depth_loss', ['gnll', 'l1'])
def test_such_a_teacher_teaches_its_classes(depth_loss, arguments, unsure_of_nothing, tmp_path):
    options = [
        '--model.rmsle_weight=0',
        f'--model.depth_loss={depth_loss}',
        f'--model.teacher={unsure_of_nothing}',
        f'--output={tmp_path}/out',
        '--trainer.max_steps=1',
    ]
    assert run(DistillationModule, '', [*arguments, *options]) == 0
    normal = checkpoint.read_info(tmp_path / 'out' / 'network.safetensors').normal_uncertainty
    # The student knows its own variance where its loss trains it.
    assert ('depth_std' in normal) == (depth_loss == 'gnll')


def test_a_teacher_that_lacks_a_task_is_refused(arguments, trained, tmp_path, capsys):
    info = dataclasses.replace(emu_model.load(trained).info, network='SegFormer')
    checkpoint.save(Network.from_info(info), info, tmp_path / 'segformer.safetensors')
    options = [f'--model.teacher={tmp_path}/segformer.safetensors', f'--output={tmp_path}/out']
    options += ['--trainer.max_steps=1']
    assert run(DistillationModule, '', [*arguments, *options]) == 1
    assert 'it must know all tasks and the same classes' in capsys.readouterr().err
