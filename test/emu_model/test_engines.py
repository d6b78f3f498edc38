"""Every engine against the plain network, and which engine runs what."""

import logging
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import torch

import emu_model
from emu_model import DepthFormer, SegDepthFormer, SegFormer, checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import choice, create_engine
from emu_model.export import export
from emu_model.maps import predict_maps
from emu_model.tasks import OUTPUTS, outputs_of

CLASSES = {'class_names': ('a', 'b', 'c'), 'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2))}
ENGINES = ('torch', 'openvino', 'onnxruntime')
WITHOUT_TORCH = ('openvino', 'onnxruntime')


@pytest.fixture(autouse=True, scope='module')
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('EMUFORMER_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


def save(network, backbone, path, **options):
    for head in network.heads.values():
        torch.nn.init.uniform_(head.norm.running_var, 0.5, 2)
        torch.nn.init.normal_(head.norm.running_mean)
    classes = CLASSES if 'semantic' in network.heads else {}
    info = CheckpointInfo(
        type(network).__name__, backbone, network.head_width, **classes, **options
    )
    checkpoint.save(network, info, path)
    return path


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    torch.manual_seed(0)
    target = tmp_path_factory.mktemp('engines') / 'network.safetensors'
    return save(SegDepthFormer('mit_b0', 3), 'mit_b0', target, input_size=(64, 96))


@pytest.fixture(params=ENGINES)
def engine(request, path):
    engine = create_engine(path, request.param, 'cpu', precision='fp32')
    yield engine
    engine.close()


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


def plain_maps(path, frames, size=None):
    """What the network says by definition: plain heads, upsampled first, activated after."""
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        raw = emu_model.load(path)((image - mean) / std)
        return raw, predict_maps(raw, OUTPUTS, size or frames.shape[1:3])


def assert_plain(prediction, path, frames):
    """Equal to rounding: fp32 through some fifty layers leaves about six digits."""
    raw, expected = plain_maps(path, frames)
    assert prediction.maps().keys() == expected.keys()
    for name, value in expected.items():
        if name == 'classes':
            best = torch.nn.functional.interpolate(
                raw['semantic'], frames.shape[1:3], mode='bilinear'
            ).topk(2, dim=1)
            clear = best.values[:, 0] - best.values[:, 1] > 1e-5 * best.values.abs().max()
            np.testing.assert_array_equal(prediction.classes[clear], value[clear])
        else:
            # Depth is cut at zero, and keeps the rounding of the larger values below.
            made_of = raw['depth'][:, 0] if name == 'depth' else value
            largest = float(made_of.abs().max())
            np.testing.assert_allclose(
                getattr(prediction, name), value, rtol=0, atol=1e-5 * largest
            )


def test_maps_are_those_of_the_plain_network(engine, path, images):
    assert_plain(engine.predict(images), path, images)


def test_other_providers_run_the_whole_network(path, images, monkeypatch):
    # There is no GPU here: the CPU stands in for the provider.
    monkeypatch.setattr(
        'emu_model.engines.onnxruntime_engine._providers_of', lambda _: ['CPUExecutionProvider']
    )
    monkeypatch.setattr('emu_model.engines.onnxruntime_engine._device_of', lambda _: 'cuda:0')
    engine = create_engine(path, 'onnxruntime', 'cuda')
    assert_plain(engine.predict(images), path, images)
    engine.close()


def test_maps_have_the_types_of_the_interface(engine, images):
    prediction = engine.predict(images[0])
    for name in outputs_of(('semantic', 'depth')):
        value = getattr(prediction, name)
        assert value.dtype == (np.uint8 if name == 'classes' else np.float32)
        assert value.shape == (64, 96)


def test_a_prediction_is_not_touched_by_the_next_frame(engine, images):
    first = engine.predict(images[0])
    before = {name: value.copy() for name, value in first.maps().items()}
    engine.predict(images[1])
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(first, name), value)


def test_only_the_maps_asked_for_are_there(engine, images):
    everything = engine.predict(images)
    for outputs in (('depth', 'entropy'), ('classes',), ('depth_std',), ()):
        prediction = engine.predict(images, outputs=outputs)
        assert set(prediction.maps()) == set(outputs)
        for name, value in prediction.maps().items():
            np.testing.assert_allclose(value, getattr(everything, name), atol=1e-6)


def test_frames_are_resized_to_the_network_and_maps_to_the_asked_size(engine, images):
    large = cv2.resize(images[0], (192, 128), None, 0, 0, cv2.INTER_NEAREST)
    assert engine.predict(large).entropy.shape == (128, 192)
    # Doubling by repetition and halving by area is the identity, so the maps must be equal.
    same = engine.predict(large, size=(64, 96))
    np.testing.assert_array_equal(same.classes, engine.predict(images[0]).classes)


@pytest.mark.parametrize('name', ENGINES)
def test_several_input_sizes_work_in_one_session(name, tmp_path):
    torch.manual_seed(0)
    path = save(SegDepthFormer('mit_b0', 3), 'mit_b0', tmp_path / 'any.safetensors')
    engine = create_engine(path, name, 'cpu', precision='fp32')
    for size in ((64, 64), (97, 67), (32, 160), (64, 64)):
        frames = np.random.default_rng(1).integers(0, 256, (1, *size, 3), np.uint8)
        assert_plain(engine.predict(frames), path, frames)


@pytest.mark.parametrize('name', ENGINES)
@pytest.mark.parametrize(
    ('network', 'arguments', 'there'),
    [
        (SegFormer, ('mit_b0', 3), {'classes', 'entropy', 'confidence'}),
        (DepthFormer, ('mit_b0',), {'depth', 'depth_std'}),
    ],
)
def test_a_network_with_one_head_gives_its_maps_and_none_else(
    name, network, arguments, there, tmp_path, images
):
    torch.manual_seed(0)
    path = save(network(*arguments), 'mit_b0', tmp_path / 'one.safetensors')
    engine = create_engine(path, name, 'cpu', precision='fp32')
    prediction = engine.predict(images, outputs=OUTPUTS)
    assert set(engine.outputs) == set(prediction.maps()) == there
    assert_plain(prediction, path, images)


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


def test_half_precision_is_near_and_maps_stay_fp32(path, images):
    engine = create_engine(path, 'openvino', 'cpu', precision='fp32')
    exact = engine.predict(images)
    try:
        half = create_engine(path, 'openvino', 'cpu', precision='bf16')
    except ValueError:
        pytest.skip('this CPU has no bf16')
    assert half.precision == 'bf16'
    prediction = half.predict(images)
    # bf16 keeps eight bits: a few percent through the network, and not the same numbers.
    for name in ('entropy', 'confidence', 'depth', 'depth_std'):
        value, wanted = getattr(prediction, name), getattr(exact, name)
        assert value.dtype == np.float32
        assert np.abs(value - wanted).max() <= 0.05 * np.abs(wanted).max()
        assert (value != wanted).any()


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU')
@pytest.mark.parametrize(('precision', 'tolerance'), [('fp32', 1e-3), ('fp16', 0.02)])
def test_the_cuda_engine_gives_the_plain_maps(path, images, precision, tolerance):
    prediction = create_engine(path, 'torch_cuda', precision=precision).predict(images)
    _, expected = plain_maps(path, images)
    for name in ('entropy', 'confidence', 'depth', 'depth_std'):
        largest = float(expected[name].abs().max())
        np.testing.assert_allclose(
            getattr(prediction, name), expected[name], rtol=0, atol=tolerance * largest
        )


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_the_network_of_the_cuda_engine_is_the_plain_one_in_its_precision(path, images, dtype):
    from emu_model.engines.torch_cuda_engine import FrameNetwork

    network = emu_model.load(path)
    expected, _ = plain_maps(path, images)
    with torch.inference_mode():
        raw = FrameNetwork(network, network.info, dtype)(torch.from_numpy(images))
    for task, value in expected.items():
        assert raw[task].dtype == dtype
        # A handful of roundings: largest difference over largest magnitude.
        tolerance = max(1e-5, 8 * torch.finfo(dtype).eps)
        assert (raw[task].float() - value).abs().max() <= tolerance * value.abs().max()


@pytest.mark.parametrize('name', ENGINES)
def test_a_missing_package_names_the_extra_that_brings_it(name, path, monkeypatch):
    runtime = choice.RUNTIMES[name]
    monkeypatch.setattr(choice, '_has_package', lambda package: package != runtime.packages[0])
    message = f'needs {runtime.packages[0]}, not installed here.*emuformer_ros.{runtime.extra}.'
    with pytest.raises(ModuleNotFoundError, match=message):
        create_engine(path, name)


@pytest.mark.parametrize(
    ('installed', 'device', 'gpus', 'chosen'),
    [
        ({'torch', 'openvino', 'onnxruntime'}, 'cpu', 1, 'openvino'),
        ({'torch', 'openvino', 'onnxruntime'}, 'auto', 0, 'openvino'),
        ({'torch', 'openvino'}, 'auto', 1, 'torch'),
        ({'torch', 'openvino'}, 'cuda:1', 2, 'torch'),
        ({'torch', 'onnxruntime'}, 'cpu', 0, 'onnxruntime'),
        ({'onnxruntime', 'openvino'}, 'cuda', 1, 'onnxruntime'),
        ({'torch'}, 'cpu', 0, 'torch'),
    ],
)
def test_auto_picks_by_device_and_what_is_installed(
    installed, device, gpus, chosen, path, monkeypatch
):
    monkeypatch.setattr(choice, 'is_installed', installed.__contains__)
    monkeypatch.setattr(choice, 'gpu_count', lambda: gpus)
    name, reason = choice.choose_engine(checkpoint.read_info(path), device)
    assert name == chosen
    assert reason


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
