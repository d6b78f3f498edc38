from collections import Counter

import pytest

from train.reproduce.plan import Model, Run
from train.reproduce.planner import make_plan
from train.reproduce.scale import SCALES
from train.reproduce.settings import STUDIES, Settings
from train.reproduce.tables import GRID_METHODS, NETWORKS
from train.stereo_ablation.settings import AblationSettings
from train.weighting.settings import WeightingSettings


def plan_of(data='synthetic', backbones=('mit_b0',), scale='full', **options):
    return make_plan(Settings(data, None, backbones, scale, **options))


@pytest.mark.parametrize('data', SCALES)
def test_the_grid_has_every_method_with_every_network(data):
    models = {
        (model.network, model.method)
        for model in plan_of(data).models
        if model.method in GRID_METHODS
    }
    assert models == {(network, method) for network in NETWORKS for method in GRID_METHODS}


def test_everything_comes_after_what_it_needs():
    done = set()
    for task in plan_of(backbones=('mit_b0', 'mit_b2')).tasks():
        if isinstance(task, Run):
            for need in task.starts_from.values():
                assert need in done
        else:
            assert set(task.runs) <= done
        # An ensemble is put together when it is evaluated.
        done.add(task.name)


def test_nothing_is_trained_or_evaluated_twice():
    tasks = plan_of(backbones=('mit_b0', 'mit_b2')).tasks()
    runs = Counter(task.name for task in tasks if isinstance(task, Run))
    models = Counter(task.evaluation for task in tasks if isinstance(task, Model))
    assert set(runs.values()) == set(models.values()) == {1}


def test_baselines_with_other_seeds_are_members_of_the_ensemble():
    plan = plan_of()
    baselines = [m for m in plan.models if (m.network, m.method) == ('SegDepthFormer', 'single')]
    ensemble = next(m for m in plan.models if m.name == 'mit_b0-segdepthformer-ensemble')
    assert [model.seed for model in baselines] == [0, 1, 2]
    assert {model.name for model in baselines} <= set(ensemble.members)
    assert len(ensemble.members) == 10


def test_student_and_control_differ_in_the_teacher_alone():
    runs = plan_of().runs
    for seed in range(3):
        student = runs[f'mit_b0-segdepthformer-emuformer-{seed}']
        control = runs[f'mit_b0-segdepthformer-single_finetuned-{seed}']
        assert student.steps == control.steps
        assert (
            student.starts_from['model.initial_weights']
            == (control.starts_from['model.initial_weights'])
        )
        assert set(student.options) - set(control.options) == {'--model.depth_loss=gnll'}
        assert 'model.teacher' in student.starts_from
        assert 'model.teacher' not in control.starts_from


def test_further_backbones_get_baseline_teacher_and_student():
    models = [
        m.method for m in plan_of(backbones=('mit_b0', 'mit_b2')).models if m.backbone == 'mit_b2'
    ]
    assert models == ['single', 'ensemble', 'emuformer']


@pytest.mark.parametrize('study', STUDIES)
def test_a_single_study_is_complete(study):
    plan = plan_of(studies=(study,))
    methods = {(model.method, model.depth_loss) for model in plan.models}
    expected = {
        'student': {('single_finetuned', 'gnll'), ('emuformer', 'gnll'), ('ensemble', 'gnll')},
        'ablation': {('emuformer', loss) for loss in ('gnll', 'mse', 'huber')},
        'grid': {(method, 'gnll') for method in GRID_METHODS},
    }
    assert expected[study] <= methods


@pytest.mark.parametrize('backbone', ['convnext_atto', 'resnet18'])
def test_an_encoder_that_has_no_dropout_is_refused_where_that_is_studied(backbone):
    with pytest.raises(ValueError, match=rf"'grid' .* '{backbone}' .*, or --studies without grid"):
        Settings('synthetic', None, (backbone,), 'full').check()
    Settings('synthetic', None, ('mit_b0', backbone), 'full').check()
    Settings('synthetic', None, (backbone,), 'full', studies=('student', 'ablation')).check()
    # What these do has no such method.
    WeightingSettings('synthetic', None, (backbone,), 'full').check()
    AblationSettings('synthetic', None, (backbone,), 'full').check()


@pytest.mark.parametrize(
    ('data', 'steps', 'student_steps'),
    [('nyuv2', 795 * 100 / 8, 795 * 100 / 8), ('cityscapes', 2975 * 250 / 8, 2975 * 100 / 8)],
)
def test_the_full_scale_trains_for_the_papers_epochs(data, steps, student_steps):
    runs = plan_of(data, ('mit_b2',)).runs
    assert abs(runs['mit_b2-segdepthformer-single-0'].steps - steps) < 1
    assert abs(runs['mit_b2-segdepthformer-emuformer-0'].steps - student_steps) < 1


def test_depth_on_cityscapes_is_also_evaluated_without_the_cap():
    settings = Settings('cityscapes', None, ('mit_b2',), 'full')
    variants = [model for model in make_plan(settings).models if model.variant]
    assert {model.network for model in variants} == {'DepthFormer', 'SegDepthFormer'}
    assert settings.test_data('uncapped').options['max_depth_m'] is None
    assert 'max_depth_m' not in settings.test_data().options
