"""What engines load: checkpoints, other backbones, exported files."""

import importlib.util
import shutil
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import torch
from engine_oracle import WITHOUT_TORCH, assert_plain, plain_maps, save

from emu_model import SegDepthFormer
from emu_model.checkpoint import CheckpointError
from emu_model.engines import create_engine
from emu_model.export import export


@pytest.mark.parametrize('name', WITHOUT_TORCH)
def test_other_backbones_are_traced_once_and_kept(name, tmp_path, images, monkeypatch):
    monkeypatch.setenv('EMUFORMER_CACHE', str(tmp_path / 'cache'))
    torch.manual_seed(0)
    path = save(SegDepthFormer('resnet18', 3), 'resnet18', tmp_path / 'resnet.safetensors')
    assert_plain(create_engine(path, name, 'cpu', precision='fp32').predict(images), path, images)

    def trace_again(path):
        raise AssertionError('the cache was not used')

    monkeypatch.setattr('emu_model.engines.graph_source.trace_elsewhere', trace_again)
    assert_plain(create_engine(path, name, 'cpu', precision='fp32').predict(images), path, images)


@pytest.mark.parametrize('name', WITHOUT_TORCH)
def test_backbones_for_one_size_are_said_to_be_and_run_at_that_size(name, tmp_path, images):
    backbone = 'mobilevitv2_050'
    path = save(SegDepthFormer(backbone, 3), backbone, tmp_path / 'vit.safetensors')
    with pytest.raises(CheckpointError, match=r'depends on the size of the image.*--size'):
        export(path, tmp_path / 'any.onnx')
    export(path, tmp_path / 'fixed.onnx', size=(64, 96))
    engine = create_engine(tmp_path / 'fixed.onnx', name, 'cpu', precision='fp32')
    assert engine.network_size == (64, 96)
    assert_plain(engine.predict(images), path, images)


@pytest.mark.parametrize('name', WITHOUT_TORCH)
def test_files_for_one_size_run_at_that_size(name, path, tmp_path, images, monkeypatch):
    suffix = '.xml' if name == 'openvino' else '.onnx'
    model = tmp_path / f'fixed{suffix}'
    export(path, model, 'openvino' if name == 'openvino' else 'onnx', size=(96, 128))
    larger = np.stack([cv2.resize(image, (128, 96)) for image in images])
    engine = create_engine(model, name, 'cpu', precision='fp32')
    assert engine.network_size == (96, 128)
    assert_plain(engine.predict(larger), path, larger)
    if name == 'onnxruntime':  # the whole network, as on other providers
        monkeypatch.setattr('emu_model.engines.onnxruntime_engine._device_of', lambda _: 'cuda:0')
        assert_plain(create_engine(model, name, 'cpu').predict(larger), path, larger)
    with pytest.raises(ValueError, match='exported for frames of 96x128, not 64x96'):
        create_engine(model, name, 'cpu', (64, 96))


@pytest.mark.parametrize(
    ('name', 'suffix'), [('torch', '.onnx'), ('torch_cuda', '.xml'), ('onnxruntime', '.xml')]
)
def test_files_are_for_the_engines_that_read_them(name, suffix, path, tmp_path):
    model = tmp_path / f'network{suffix}'
    export(path, model, 'onnx' if suffix == '.onnx' else 'openvino')
    with pytest.raises(ValueError, match=f"'{name}' does not read .*{suffix} are for openvino"):
        create_engine(model, name)
    assert create_engine(model).name == 'openvino'


def test_a_conversion_that_ends_without_a_word_is_a_sentence(tmp_path, monkeypatch):
    path = save(SegDepthFormer('resnet18', 3), 'resnet18', tmp_path / 'resnet.safetensors')
    monkeypatch.setattr(sys, 'executable', shutil.which('false'))
    with pytest.raises(CheckpointError, match='could not be converted: its process ended 1'):
        create_engine(path, 'onnxruntime', 'cpu')


def test_a_conversion_without_torch_says_what_to_install(tmp_path, monkeypatch):
    path = save(SegDepthFormer('resnet18', 3), 'resnet18', tmp_path / 'resnet.safetensors')
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'timm' else find(name)
    )
    with pytest.raises(ModuleNotFoundError, match='timm is missing: install the extra'):
        create_engine(path, 'onnxruntime', 'cpu')


@pytest.mark.parametrize('name', WITHOUT_TORCH)
@pytest.mark.parametrize('suffix', ['.safetensors', '.onnx', '.xml'])
def test_a_robot_without_torch_runs_checkpoints_and_exported_files(name, suffix, path, tmp_path):
    if (name, suffix) == ('onnxruntime', '.xml'):
        pytest.skip('OpenVINO alone reads its own format')
    model = path
    if suffix != '.safetensors':
        model = tmp_path / f'network{suffix}'
        export(path, model, 'onnx' if suffix == '.onnx' else 'openvino')
    script = textwrap.dedent(f"""
        import sys
        for package in ('torch', 'timm', 'torchvision', 'triton'):
            sys.modules[package] = None  # importing it raises ModuleNotFoundError
        import numpy as np
        from emu_model import create_engine
        engine = create_engine({str(model)!r}, {name!r}, 'cpu', precision='fp32')
        frame = np.full((64, 96, 3), 100, np.uint8)
        np.save({str(tmp_path / 'depth.npy')!r}, engine.predict(frame).depth)
    """)
    subprocess.run([sys.executable, '-c', script], check=True, timeout=120)
    _, expected = plain_maps(path, np.full((1, 64, 96, 3), 100, np.uint8))
    np.testing.assert_allclose(np.load(tmp_path / 'depth.npy'), expected['depth'][0], rtol=1e-4)
