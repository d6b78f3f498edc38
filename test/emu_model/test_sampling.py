import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import softmax

import emu_model
from emu_model import SegDepthFormer, SegFormer, checkpoint
from emu_model.checkpoint import CheckpointError, CheckpointInfo
from emu_model.maps import predict_maps
from emu_model.sampling import (
    Ensemble,
    MonteCarloDropout,
    RunningMoments,
    SubEnsemble,
    predict_distribution,
)
from emu_model.tasks import outputs_of

TASKS = ('semantic', 'depth', 'instance')
SIZE = (16, 20)


def info(**changes):
    values = {
        'network': 'SegDepthFormer',
        'backbone': 'mit_b0',
        'head_width': 256,
        'class_names': ('a', 'b', 'c'),
        'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    }
    return CheckpointInfo(**{**values, **changes})


@pytest.fixture
def raw_samples():
    generator = torch.Generator().manual_seed(1)
    return [
        {
            'semantic': 3 * torch.randn(2, 4, *SIZE, generator=generator),
            'depth': 5 + 3 * torch.randn(2, 2, *SIZE, generator=generator),
            'instance': 9 * torch.randn(2, 2, *SIZE, generator=generator),
        }
        for _ in range(10)
    ]


@pytest.fixture
def image():
    return torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))


def test_running_moments_are_those_of_all_samples_at_once(raw_samples):
    moments = RunningMoments(SIZE)
    for raw in raw_samples:
        moments.add(raw)
    distribution = moments.distribution()
    logits = np.stack([raw['semantic'].double().numpy() for raw in raw_samples])
    depth = np.stack([raw['depth'].double().numpy() for raw in raw_samples])
    means = np.maximum(depth[:, :, 0], 0)
    variances = np.logaddexp(0, depth[:, :, 1])
    np.testing.assert_allclose(
        distribution.probabilities, softmax(logits, axis=2).mean(0), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(distribution.depth, means.mean(0), rtol=1e-5)
    # EMUFormer: mean of the variances plus population variance of the means.
    expected = variances.mean(0) + means.var(0)
    np.testing.assert_allclose(distribution.depth_variance, expected, rtol=1e-5)
    offsets = np.stack([raw['instance'].double().numpy() for raw in raw_samples])
    np.testing.assert_allclose(distribution.offsets, offsets.mean(0), rtol=1e-4, atol=1e-5)


def test_one_sample_gives_the_maps_of_a_single_network(raw_samples):
    moments = RunningMoments((32, 40))
    moments.add(raw_samples[0])
    outputs = set(outputs_of(TASKS)) - {'instances'}
    maps = moments.distribution().maps(outputs)
    expected = predict_maps(raw_samples[0], outputs, (32, 40))
    assert set(maps) == set(expected) == outputs
    for name, value in expected.items():
        torch.testing.assert_close(maps[name], value, rtol=1e-5, atol=1e-6)


def test_equal_samples_have_no_variance_of_their_own(raw_samples):
    once, thrice = RunningMoments(SIZE), RunningMoments(SIZE)
    once.add(raw_samples[0])
    for _ in range(3):
        thrice.add(raw_samples[0])
    torch.testing.assert_close(
        thrice.distribution().depth_variance, once.distribution().depth_variance
    )


def test_no_sample_is_an_error():
    with pytest.raises(ValueError, match='no sample was added'):
        RunningMoments(SIZE).distribution()


def test_dropout_samples_differ_and_their_order_is_that_of_the_seed(image):
    network = MonteCarloDropout(
        TASKS, 'mit_b0', 3, head_dropout=0.5, num_samples=3, proj_drop_rate=0.5
    ).eval()
    with torch.inference_mode():
        torch.manual_seed(0)
        first = [raw['depth'] for raw in network.samples(image)]
        torch.manual_seed(0)
        again = [raw['depth'] for raw in network.samples(image)]
    assert len(first) == 3
    assert not torch.equal(first[0], first[1])
    assert all(torch.equal(a, b) for a, b in zip(first, again))


def test_only_dropout_is_on_when_sampling():
    network = MonteCarloDropout(TASKS, 'mit_b0', 3, drop_path_rate=0.2, num_samples=2).eval()
    training = {type(module).__name__ for module in network.modules() if module.training}
    assert training == {'Dropout'}
    rates = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    # Two in each block's MLP, one after its attention, one in each head, one of the classifier.
    assert len(rates) >= 8 * 3 + 2


def test_a_sub_ensemble_computes_features_once_for_all_heads(image):
    network = SubEnsemble(TASKS, 'mit_b0', 3, num_samples=4).eval()
    calls = []
    network.backbone.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        samples = list(network.samples(image))
        assert len(calls) == 1
        for member, raw in enumerate(samples):
            assert torch.equal(raw['semantic'], network(image, member)['semantic'])
    assert not torch.equal(samples[0]['depth'], samples[3]['depth'])


@pytest.mark.parametrize(
    ('method', 'network_class'), [('mc_dropout', MonteCarloDropout), ('sub_ensemble', SubEnsemble)]
)
def test_a_network_that_samples_comes_back_from_its_file(method, network_class, image, tmp_path):
    described = info(method=method, num_samples=3, head_dropout=0.5)
    network = network_class.from_info(described).eval()
    checkpoint.save(network, described, tmp_path / 'network.safetensors')
    loaded = emu_model.load(tmp_path / 'network.safetensors')
    assert type(loaded) is network_class
    assert loaded.info == described
    distributions = []
    for each in (network, loaded):
        torch.manual_seed(0)
        with torch.inference_mode():
            distributions.append(predict_distribution(each, image, (64, 64)))
    assert torch.equal(distributions[0].depth_variance, distributions[1].depth_variance)


@pytest.fixture
def ensemble_folder(tmp_path):
    paths = []
    for member in range(3):
        torch.manual_seed(member)
        paths.append(tmp_path / f'member_{member}.safetensors')
        checkpoint.save(SegDepthFormer('mit_b0', 3), info(), paths[-1])
    checkpoint.save_ensemble(tmp_path / 'ensemble', paths)
    return tmp_path / 'ensemble'


def test_an_ensemble_is_a_folder_that_names_its_members(ensemble_folder, image, monkeypatch):
    ensemble = emu_model.load(ensemble_folder)
    assert isinstance(ensemble, Ensemble)
    assert (ensemble.info.method, ensemble.info.num_samples) == ('ensemble', 3)
    assert checkpoint.read_info(ensemble_folder) == ensemble.info
    monkeypatch.setattr(checkpoint, '_load_file', lambda _: pytest.fail('loaded a member again'))
    with torch.inference_mode():
        samples = [raw['depth'] for raw in ensemble.samples(image)]
        members = [member(image)['depth'] for member in ensemble.members]
    assert all(torch.equal(a, b) for a, b in zip(samples, members))


def test_an_ensemble_of_a_newer_format_is_not_guessed_at(ensemble_folder):
    file = ensemble_folder / 'ensemble.json'
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, 'format_version': 99}))
    for read in (emu_model.load, checkpoint.read_info):
        with pytest.raises(CheckpointError, match='format version 99, this package reads 1: upd'):
            read(ensemble_folder)


def test_members_must_have_the_same_tasks_and_classes(ensemble_folder, tmp_path):
    odd = tmp_path / 'odd.safetensors'
    checkpoint.save(SegFormer('mit_b0', 3), info(network='SegFormer'), odd)
    with pytest.raises(ValueError, match='a member is a SegFormer with 3 classes, the first'):
        checkpoint.save_ensemble(tmp_path / 'mixed', [tmp_path / 'member_0.safetensors', odd])
    (ensemble_folder / 'ensemble.json').write_text(
        '{"members": ["../member_0.safetensors", "../odd.safetensors"]}'
    )
    with pytest.raises(CheckpointError, match='is no ensemble: a member is a SegFormer'):
        emu_model.load(ensemble_folder)


@pytest.mark.parametrize(
    ('text', 'error', 'message'),
    [
        (None, CheckpointError, 'without ensemble.json: give a checkpoint file'),
        ('{', CheckpointError, 'does not list the members'),
        ('["ab"]', CheckpointError, 'does not list the members'),
        ('{"members": ["."]}', CheckpointError, "lists the folder '.*': list checkpoint files"),
        ('{"members": "ab"}', CheckpointError, "its 'members' must be a list of paths"),
        ('{"members": [1]}', CheckpointError, "its 'members' must be a list of paths"),
        ('{"format_version": 1}', CheckpointError, "its 'members' must be a list of paths"),
        ('{"members": []}', CheckpointError, 'needs at least one member'),
        ('{"members": ["gone.safetensors"]}', FileNotFoundError, 'gone.safetensors'),
    ],
)
def test_a_folder_that_is_no_ensemble_says_why(text, error, message, tmp_path):
    if text is not None:
        (tmp_path / 'ensemble.json').write_text(text)
    with pytest.raises(error, match=message):
        emu_model.load(tmp_path)


MEASURE_PEAK = """
import resource, sys, torch
from emu_model.sampling import MonteCarloDropout, predict_distribution

def resident():
    return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize()

torch.set_num_threads(1)
tasks, passes = ('semantic', 'depth'), int(sys.argv[1])
network = MonteCarloDropout(tasks, 'mit_b0', 40, num_samples=passes).eval()
image = torch.zeros(1, 3, 96, 128)
with torch.inference_mode():
    network(image)
    before = resident()
    predict_distribution(network, image, (480, 640))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory_does_not_grow_with_the_number_of_samples():
    peaks = [
        int(subprocess.check_output([sys.executable, '-c', MEASURE_PEAK, str(count)]))
        for count in (2, 6)
    ]
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[0] > 40 * 480 * 640 * 4  # at least the mean softmax itself was seen


def test_each_frame_of_a_batch_is_rescaled_by_its_own_factor(raw_samples):
    moments = RunningMoments(SIZE, epistemic=True)
    for raw in raw_samples:
        moments.add(raw)
    distribution = moments.distribution()
    factors = [2.0, 0.5]
    outputs = ('depth', 'depth_std', 'depth_epistemic_std', 'entropy')
    before = distribution.maps(outputs)
    after = distribution.rescaled(torch.tensor(factors)).maps(outputs)
    for name, value in before.items():
        for index, factor in enumerate(factors):
            expected = value[index] * (1.0 if name == 'entropy' else factor)
            torch.testing.assert_close(after[name][index], expected)
    classes_alone = RunningMoments(SIZE)
    classes_alone.add({'semantic': raw_samples[0]['semantic']})
    assert classes_alone.distribution().rescaled(torch.tensor(factors)).depth is None
