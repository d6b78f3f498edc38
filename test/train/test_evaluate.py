import dataclasses
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from stereo_files import DRIVE, noise_image, write_image, write_kitti_raw

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.evaluation import Evaluation
from emu_model.metrics import InstanceMetrics
from emu_model.report import count_macs, describe_times
from emu_model.sampling import predict_distribution
from train.data import build
from train.data.transforms import Resize
from train.evaluate import main
from train.evaluation import evaluate, loader_of, shift_auroc

ROOT = Path(__file__).parents[2]
KEYS = {
    'network',
    'method',
    'backbone',
    'depth_loss',
    'seed',
    'semantic',
    'semantic_all_pixels',
    'depth',
    'depth_all_pixels',
    'instance',
    'shift_auroc',
    'inference_ms',
    'parameters',
    'macs',
}


@pytest.fixture
def dataset(scenes_folder):
    options = {'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
    return build('synthetic', scenes_folder, 'test', count=5, **options)


def test_figures_do_not_depend_on_the_batch_size(trained, dataset):
    network = emu_model.load(trained)
    by_one, by_three = (
        evaluate(network, loader_of(dataset, None, size, 0)).figures for size in (1, 3)
    )
    for task, figures in by_one.items():
        for name, value in (figures or {}).items():
            # Rounding differs with the batch size, and may tip a pixel over a threshold.
            assert by_three[task][name] == pytest.approx(value, rel=2e-3), (task, name)


def test_the_sums_of_frames_make_the_same_figures(trained, dataset):
    network = emu_model.load(trained)
    evaluated = evaluate(network, loader_of(dataset, None, 2, 0))
    assert len(evaluated.frame_sums) == 5
    assert len(evaluated.frame_uncertainty['entropy']) == 5
    fresh = Evaluation(network.info.tasks, len(network.info.class_names))
    for sums in evaluated.frame_sums:
        for name, group in fresh.groups.items():
            group.add_sums(sums[name])
    assert fresh.figures() == evaluated.figures
    measured = sum(int((frame['depth'] > 0).sum()) for frame in dataset)
    assert evaluated.figures['depth']['pixels'] == measured


def resaved(checkpoint_file, path, **changes):
    """A copy of a checkpoint that says something else of itself."""
    network = emu_model.load(checkpoint_file)
    checkpoint.save(network, dataclasses.replace(network.info, **changes), path)
    return path


def depth_figures(file, scenes_folder, tmp_path, *options):
    """Depth figures of a command line, on scenes through a lens of 40 px at 32x48."""
    data = {'count': 3, 'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
    command = [str(file), '--data=synthetic', f'--root={scenes_folder}', '--device=cpu']
    command += [f'--data-options={json.dumps(data)}', '--workers=0', *options]
    assert main([*command, f'--output={tmp_path}/figures.json']) == 0
    return json.loads((tmp_path / 'figures.json').read_text())['depth']


@pytest.mark.parametrize(
    ('options', 'changes', 'scale'),
    [
        # The camera that the network knows, at twice its focal length in pixels.
        (['--size', '64', '96'], {}, 2.0),
        (['--eigen', '--size', '64', '96'], {}, 2.0),
        # What was learned from another camera, whose lens is twice as long or half as long.
        ([], {'training_data': 'elsewhere, 5 frames', 'focal_length_px': 80.0}, 0.5),
        ([], {'training_data': '', 'focal_length_px': 20.0}, 2.0),
        # A checkpoint that does not know its focal length, and one at home.
        (['--size', '64', '96'], {'focal_length_px': None}, 1.0),
        ([], {'focal_length_px': 20.0}, 1.0),
        (['--size', '32', '48'], {'focal_length_px': 20.0}, 1.0),
    ],
)
def test_depth_is_metric_for_the_camera_of_the_frames(
    options, changes, scale, trained, dataset, scenes_folder, tmp_path
):
    file = resaved(trained, tmp_path / 'network.safetensors', **changes)
    found = depth_figures(file, scenes_folder, tmp_path, *options)
    errors, likelihoods = [], []
    for index in range(3):
        sample = dataset.read(index)
        if '64' in options and '--eigen' not in options:
            sample = Resize(64, 96)(sample)
        size = (64, 96) if '64' in options else sample.size
        believed = believed_of(emu_model.load(trained), sample.image, size)
        measured = sample.depth > 0
        error = (scale * believed.depth[0].numpy() - sample.depth)[measured]
        std = scale * believed.depth_variance[0].sqrt().numpy()[measured]
        errors.append(error)
        likelihoods.append(0.5 * (error / std) ** 2 + np.log(std))
    assert found['rmse'] == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)), rel=1e-5)
    assert found['nll'] == pytest.approx(np.concatenate(likelihoods).mean(), rel=1e-4)


@torch.inference_mode()
def believed_of(network, image, size):
    """What a network that runs at a size believes of an image, uint8 (H, W, 3)."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.info.mean, network.info.std))
    seen = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    seen = torch.nn.functional.interpolate(seen, size, mode='bilinear', antialias=True)
    return predict_distribution(network, (seen - mean) / std, image.shape[:2])


class ExactOffsets(torch.nn.Module):
    """A network that knows where an object is, whose offsets are in pixels of what it sees.

    Args:
        centroid: (column, row) in the frame.
        frame_size: (height, width) of the frame.
    """

    info = CheckpointInfo(network='InstanceFormer', backbone='', head_width=1)

    def __init__(self, centroid, frame_size):
        super().__init__()
        self.centroid = torch.nn.Parameter(torch.tensor(centroid))
        self.frame_size = frame_size

    def samples(self, image):
        height, width = image.shape[2:]
        rows, columns = (
            full / seen for full, seen in zip(self.frame_size, (height, width), strict=True)
        )
        right = (self.centroid[0] + 0.5) / columns - (torch.arange(width) + 0.5)
        down = (self.centroid[1] + 0.5) / rows - (torch.arange(height) + 0.5)
        yield {'instance': torch.stack(torch.meshgrid(right, down, indexing='xy'))[None]}


@pytest.mark.parametrize('size', [None, (64, 96), (16, 48), (32, 24)])
def test_exact_offsets_are_exact_at_whatever_size_a_network_runs(size):
    # One object away from the border, where enlarged maps are no longer linear.
    instances = torch.zeros(1, 64, 96, dtype=torch.int32)
    instances[:, 10:50, 20:81] = 7
    batch = {
        'image': torch.zeros(1, 3, 64, 96),
        'classes': torch.zeros_like(instances),
        'depth': torch.zeros(1, 64, 96),
        'instances': instances,
    }
    network = ExactOffsets((50.0, 29.5), (64, 96))
    figures = evaluate(network, [batch], size=size).figures['instance']
    assert figures['offset_error'] == pytest.approx(0, abs=1e-4)


def test_a_checkpoint_without_a_size_sees_each_frame_at_its_own(trained, tmp_path, monkeypatch):
    # Cost is measured at this size, and at the usual one that takes long.
    monkeypatch.setattr('train.evaluation.UNSIZED_FRAME', (32, 48))
    write_kitti_raw(tmp_path, frames=2)
    write_image(tmp_path / DRIVE / 'image_02/data/0000000001.png', noise_image(1, (40, 64)))
    (tmp_path / 'eigen_test_files.txt').write_text(f'{DRIVE} 0 l\n{DRIVE} 1 l\n')
    # Ahead and to the upper left, where images as small as these are of KITTI's.
    rng = np.random.default_rng(0)
    ahead, left, up, reflectance = rng.uniform((5, 0.7, 0.1, 1), (60, 0.9, 0.3, 1), (4000, 4)).T
    points = np.stack([ahead, ahead * left, ahead * up, reflectance], axis=1)
    scans = tmp_path / DRIVE / 'velodyne_points' / 'data'
    scans.mkdir(parents=True)
    for number in range(2):
        points.astype(np.float32).tofile(scans / f'{number:010d}.bin')
    sizeless = {'input_size': None, 'focal_length_px': None}
    file = resaved(trained, tmp_path / 'network.safetensors', **sizeless)
    command = [str(file), '--data=kitti', f'--root={tmp_path}', '--data-options={"crop": null}']
    command += ['--device=cpu', '--workers=0', f'--output={tmp_path}/figures.json']
    assert main(command) == 0
    errors = []
    for frame in map(build('kitti', tmp_path, 'test', crop=None).read, range(2)):
        believed = believed_of(emu_model.load(file), frame.image, frame.size)
        measured = frame.depth > 0
        assert measured.any()
        errors.append((believed.depth[0].numpy() - frame.depth)[measured])
    found = json.loads((tmp_path / 'figures.json').read_text())['depth']
    assert found['pixels'] == sum(map(len, errors))
    assert found['rmse'] == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)), rel=1e-5)


def test_shifts_are_told_apart_by_each_uncertainty():
    normal = {'entropy': [0.1, 0.2], 'depth_std': [1.0, 2.0]}
    shifted = {'fog': {'entropy': [0.3, 0.4], 'depth_std': [0.5, 1.5]}}
    scores = shift_auroc(normal, shifted)
    assert scores['entropy'] == {'fog': 1.0, 'all': 1.0}
    assert scores['depth_std']['fog'] == 0.25


def test_multiply_accumulates_are_those_of_the_layers():
    # A 1x1 convolution and a linear layer, counted by hand.
    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 5, 1)

        def samples(self, image):
            yield self.convolution(image)
            yield self.convolution(image)

    assert count_macs(Tiny(), (4, 6)) == 2 * 3 * 5 * 4 * 6


def test_the_command_writes_every_key(trained, scenes_folder, tmp_path):
    options = {'count': 2, 'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
    arguments = [
        str(trained),
        '--data=synthetic',
        f'--root={scenes_folder}',
        f'--data-options={json.dumps(options)}',
        '--shifts',
        'fog',
        '--workers=0',
        '--device=cpu',
        f'--output={tmp_path}/figures.json',
    ]
    assert main(arguments) == 0
    result = json.loads((tmp_path / 'figures.json').read_text())
    assert set(result) == KEYS
    assert set(result['shift_auroc']) == {'entropy', 'depth_std'}
    assert result['inference_ms']['median'] > 0
    assert (result['inference_ms']['engine'], result['inference_ms']['size']) == (
        'torch',
        [32, 48],
    )
    assert result['parameters'] == sum(w.numel() for w in emu_model.load(trained).parameters())
    assert result['semantic'].keys() >= {'miou', 'ece', 'p_accurate_certain', 'pavpu'}
    assert result['depth'].keys() >= {'rmse', 'delta1', 'ause', 'nll', 'p_uncertain_inaccurate'}


def test_an_error_in_a_process_that_reads_frames_is_a_line_too(trained, tmp_path, capsys):
    options = {'count': 2, 'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
    scenes = build('synthetic', tmp_path, 'test', **options)
    image = next(scenes.folder.rglob('image.npy'))
    image.write_bytes(image.read_bytes()[:1000])
    arguments = [
        str(trained),
        '--data=synthetic',
        f'--root={tmp_path}',
        f'--data-options={json.dumps(options)}',
        '--workers=1',
        '--device=cpu',
        f'--output={tmp_path}/figures.json',
    ]
    assert main(arguments) == 1
    assert re.fullmatch(r'error: mmap length .*\n', capsys.readouterr().err)


def test_an_error_is_a_sentence(tmp_path, capsys):
    output = tmp_path / 'figures.json'
    arguments = [str(tmp_path / 'absent'), '--data=synthetic', f'--output={output}']
    assert main(arguments) == 1
    assert 'no checkpoint at' in capsys.readouterr().err
    assert not output.exists()


def test_the_documentation_names_exactly_the_keys_that_are_written(trained, dataset):
    sections = documented_keys(ROOT / 'docs' / 'evaluation.md')
    network = emu_model.load(trained)
    figures = evaluate(network, loader_of(dataset, None, 5, 0)).figures
    assert set(sections['The JSON object']) == KEYS
    for title, tasks in (
        ('`semantic` and `semantic_all_pixels`', ('semantic', 'semantic_all_pixels')),
        ('`depth` and `depth_all_pixels`', ('depth', 'depth_all_pixels')),
    ):
        for task in tasks:
            assert sections[title] == list(figures[task])
    assert sections['`instance`'] == list(InstanceMetrics(()).compute())
    timed = describe_times(create_engine(trained, 'torch', 'cpu'), [1.0], (32, 48))
    assert sections['`inference_ms`'] == list(timed)


def test_documented_commands_on_cityscapes_have_the_options_of_its_stereo_training():
    config = ROOT / 'train' / 'configs' / 'stereo' / 'cityscapes.yaml'
    trained_with = yaml.safe_load(config.read_text())['data']['options']
    page = (ROOT / 'docs' / 'training.md').read_text().replace('\\\n', '')
    (section,) = re.findall(r'\n## Stereo pairs\n(.*?)\n## ', page, flags=re.DOTALL)
    (command,) = re.findall(r'python -m train.evaluate .* --data cityscapes .*', section)
    words = shlex.split(command)
    assert json.loads(words[words.index('--data-options') + 1]) == trained_with


def test_times_are_described_by_their_median_and_quartiles(trained):
    engine = create_engine(trained, 'torch', 'cpu')
    described = describe_times(engine, [4.0, 1.0, 3.0, 2.0, 5.0], (32, 48))
    assert (described['median'], described['quartiles']) == (3.0, [2.0, 4.0])
    assert (described['engine'], described['batch'], described['size']) == ('torch', 1, [32, 48])


def documented_keys(path):
    """{heading: keys in the first column of its table}."""
    keys, heading = {}, ''
    for line in path.read_text().splitlines():
        if line.startswith('#'):
            heading = line.lstrip('# ')
        elif match := re.match(r'\| `(\w+)` \|', line):
            keys.setdefault(heading, []).append(match[1])
    return keys
