"""Every engine against the plain network."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from engine_oracle import ENGINES, assert_plain, plain_maps, save

import emu_model
from emu_model import DepthFormer, SegDepthFormer, SegFormer
from emu_model.engines import create_engine
from emu_model.tasks import OUTPUTS, outputs_of


@pytest.fixture(params=ENGINES)
def engine(request, path):
    engine = create_engine(path, request.param, 'cpu', precision='fp32')
    yield engine
    engine.close()


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


def test_threads_that_share_an_engine_get_the_maps_of_their_frames(engine, images):
    expected = [engine.predict(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine.predict, 8 * list(images)))
    for index, prediction in enumerate(found):
        for name, value in prediction.maps().items():
            wanted = getattr(expected[index % len(images)], name)
            np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-6)


def test_a_size_can_be_any_sequence(engine, images):
    prediction = engine.predict(images, size=[np.int64(32), 48])
    assert prediction.depth.shape == (2, 32, 48)


@pytest.mark.parametrize('name', ENGINES)
def test_the_smallest_frame_runs_and_a_smaller_one_is_refused(name, tmp_path):
    path = save(SegDepthFormer('mit_b0', 3), 'mit_b0', tmp_path / 'any.safetensors')
    engine = create_engine(path, name, 'cpu', precision='fp32')
    frames = np.random.default_rng(0).integers(0, 256, (1, 29, 29, 3), np.uint8)
    assert_plain(engine.predict(frames), path, frames)
    with pytest.raises(ValueError, match='a frame of 28x29 is too small for mit_b0: give it at'):
        engine.predict(frames[:, 1:])


def test_half_precision_is_near_and_maps_stay_fp32(path, images):
    engine = create_engine(path, 'openvino', 'cpu', precision='fp32')
    exact = engine.predict(images)
    try:
        half = create_engine(path, 'openvino', 'cpu', precision='bf16')
    except ValueError as error:
        if 'does not compute in bf16' not in str(error):
            raise
        pytest.skip('this CPU has no bf16')
    assert half.precision == 'bf16'
    prediction = half.predict(images)
    # bf16 keeps eight bits: a few percent through the network, and not the same numbers.
    for name in ('entropy', 'confidence', 'depth', 'depth_std'):
        value, wanted = getattr(prediction, name), getattr(exact, name)
        assert value.dtype == np.float32
        assert np.abs(value - wanted).max() <= 0.05 * np.abs(wanted).max()
        assert (value != wanted).any()


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


@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.slow)]
)
def test_the_network_of_the_cuda_engine_is_the_plain_one_in_its_precision(path, images, dtype):
    from emu_model.engines.torch_cuda_engine import FrameNetwork

    network = emu_model.load(path)
    expected, _ = plain_maps(path, images)
    with torch.inference_mode():
        raw = FrameNetwork(network, network.info, dtype)(torch.from_numpy(images))
    for task, value in expected.items():
        assert raw[task].dtype == torch.float32
        # A handful of roundings: largest difference over largest magnitude.
        tolerance = max(1e-5, 8 * torch.finfo(dtype).eps)
        assert (raw[task] - value).abs().max() <= tolerance * value.abs().max()
