"""Which engine runs what, and what is refused."""

import logging

import onnxruntime
import pytest
import torch
from engine_oracle import ENGINES, WITHOUT_TORCH

from emu_model import checkpoint
from emu_model.engines import choice, create_engine


def test_a_provider_that_does_not_start_is_an_error(path, monkeypatch):
    there = ['CUDAExecutionProvider', 'CPUExecutionProvider']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: there)
    with pytest.raises(ValueError, match='could not start its CUDAExecutionProvider'):
        create_engine(path, 'onnxruntime', 'cuda')


def test_tensorrt_keeps_what_it_compiled_of_each_checkpoint_apart(path, tmp_path, monkeypatch):
    other = tmp_path / 'other.safetensors'
    network = checkpoint.load(path)
    with torch.no_grad():
        network.heads['depth'].predict.bias += 1.0
    checkpoint.save(network, network.info, other)
    folders = []

    def start(graph, options, providers, **_):
        folders.append(providers[0][1]['trt_engine_cache_path'])
        raise RuntimeError('no TensorRT here')

    names = ['TensorrtExecutionProvider', 'CPUExecutionProvider']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: names)
    monkeypatch.setattr(onnxruntime, 'InferenceSession', start)
    for each in (path, path, other):
        with pytest.raises(RuntimeError, match='no TensorRT here'):
            create_engine(each, 'onnxruntime', providers=names)
    assert folders[0] == folders[1] != folders[2]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'precision': 'int3'}, "no precision 'int3': choose of auto, fp32"),
        ({'engine': 'torch', 'precision': 'bf16'}, "the engine 'torch' computes in fp32"),
        ({'engine': 'onnxruntime', 'precision': 'fp16'}, 'computes in fp32 here, not in fp16'),
        ({'engine': 'openvino', 'device': 'cuda'}, "'openvino' runs on the CPU, not on 'cuda'"),
        ({'engine': 'torch', 'providers': ['X']}, "providers are for the engine 'onnxruntime'"),
        ({'engine': 'onnxruntime', 'providers': ['X']}, "has no provider 'X' here, only"),
        ({'engine': 'onnxruntime', 'device': 'tpu'}, "no device 'tpu': choose"),
        ({'engine': 'auto', 'device': 'tpu'}, "no device 'tpu': choose"),
        ({'engine': 'torch', 'device': 'cpu:1'}, "no device 'cpu:1': choose"),
        (
            {'engine': 'torch', 'network_size': (16, 16)},
            'a frame of 16x16 is too small for mit_b0',
        ),
        ({'engine': 'torch', 'network_size': (64,)}, r'a size is .height, width.*not .64,.'),
    ],
)
def test_what_cannot_be_had_is_refused_and_never_changed_silently(path, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_engine(path, **arguments)


def test_a_precision_that_the_cpu_lacks_is_an_error(path, monkeypatch):
    from emu_model.engines import openvino_engine

    monkeypatch.setitem(openvino_engine._CAPABILITIES, 'bf16', 'NO SUCH CAPABILITY')
    with pytest.raises(ValueError, match='this CPU does not compute in bf16: choose precision'):
        create_engine(path, 'openvino', 'cpu', precision='bf16')


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_the_cuda_engine_without_a_gpu_says_so(path):
    with pytest.raises(
        ValueError, match="'torch_cuda' needs a CUDA GPU and device 'auto' is none"
    ):
        create_engine(path, 'torch_cuda')


@pytest.mark.parametrize('name', ENGINES)
def test_a_missing_package_names_the_extra_that_brings_it(name, path, monkeypatch):
    runtime = choice.RUNTIMES[name]
    monkeypatch.setattr(choice, '_has_package', lambda package: package != runtime.packages[0])
    message = f'needs {runtime.packages[0]}, not installed here.*emuformer_ros.{runtime.extra}.'
    with pytest.raises(ModuleNotFoundError, match=message):
        create_engine(path, name)


@pytest.mark.parametrize(
    ('installed', 'device', 'gpus', 'cuda_build', 'chosen', 'why'),
    [
        ({*ENGINES}, 'cpu', 1, True, 'openvino', 'OpenVINO is installed'),
        ({*ENGINES}, 'auto', 0, True, 'openvino', 'OpenVINO is installed'),
        ({*ENGINES}, 'auto', 1, False, 'openvino', 'OpenVINO is installed'),
        ({'torch', 'openvino'}, 'auto', 1, True, 'torch', 'there is a GPU'),
        ({'torch', 'openvino'}, 'cuda:1', 2, True, 'torch', 'PyTorch runs on the GPU'),
        ({'torch', 'onnxruntime'}, 'cpu', 0, False, 'onnxruntime', 'and OpenVINO is not'),
        ({'onnxruntime', 'openvino'}, 'cuda', 1, False, 'onnxruntime', 'on the CPU only'),
        ({*ENGINES}, 'cuda', 1, False, 'onnxruntime', 'on the CPU only'),
        ({*ENGINES}, 'cuda', 0, False, 'torch', 'PyTorch runs on the GPU'),
        ({'torch'}, 'cpu', 0, False, 'torch', 'neither OpenVINO nor ONNX Runtime'),
    ],
)
def test_auto_picks_by_device_and_what_is_installed(
    installed, device, gpus, cuda_build, chosen, why, path, monkeypatch
):
    monkeypatch.setattr(choice, 'is_installed', installed.__contains__)
    monkeypatch.setattr(choice, 'gpu_count', lambda: gpus)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda_build)
    name, reason = choice.choose_engine(checkpoint.read_info(path), device)
    assert name == chosen
    assert why in reason


def test_with_no_runtime_auto_says_what_to_install(path, monkeypatch):
    monkeypatch.setattr(choice, 'is_installed', lambda name: False)
    with pytest.raises(ModuleNotFoundError, match='install one of the extras'):
        create_engine(path)


def test_auto_says_what_it_picked_and_why(path, caplog):
    with caplog.at_level(logging.INFO, 'emu_model.engines'):
        engine = create_engine(path, device='cpu')
    assert engine.name == 'openvino'
    assert 'OpenVINO is installed' in engine.reason
    assert f"engine 'openvino' on cpu in {engine.precision}: {engine.reason}" in caplog.text


@pytest.mark.parametrize('name', WITHOUT_TORCH)
def test_networks_that_sample_are_left_to_torch(name, path, tmp_path):
    checkpoint.save_ensemble(tmp_path / 'ensemble', [path, path])
    with pytest.raises(ValueError, match=r"takes 2 samples per frame .'ensemble'.*'torch'"):
        create_engine(tmp_path / 'ensemble', name)
    assert create_engine(tmp_path / 'ensemble', device='cpu').name == 'torch'
