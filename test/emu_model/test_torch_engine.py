import cv2
import numpy as np
import pytest
import torch

import emu_model
from emu_model import DepthFormer, SegDepthFormer, SegFormer, checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.tasks import OUTPUTS, outputs_of

CLASSES = {'class_names': ('a', 'b', 'c'), 'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2))}


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('engine') / 'network.safetensors'
    info = CheckpointInfo('SegDepthFormer', 'mit_b0', 256, input_size=(64, 96), **CLASSES)
    checkpoint.save(SegDepthFormer('mit_b0', 3), info, path)
    return path


@pytest.fixture(scope='module')
def engine(path):
    return create_engine(path, 'torch', 'cpu')


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


def test_predict_is_the_network_on_the_normalised_image(path, engine, images):
    network = emu_model.load(path)
    image = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        raw = network((image - mean) / std)
        logits = torch.nn.functional.interpolate(raw['semantic'], (64, 96), mode='bilinear')
        depth = torch.nn.functional.interpolate(raw['depth'], (64, 96), mode='bilinear')[:, 0]
    prediction = engine.predict(images)
    np.testing.assert_array_equal(prediction.classes, logits.argmax(1))
    np.testing.assert_allclose(prediction.depth, depth.relu(), rtol=1e-4, atol=1e-5)


def test_maps_have_the_types_of_the_interface(engine, images):
    prediction = engine.predict(images)
    for name in outputs_of(('semantic', 'depth')):
        value = getattr(prediction, name)
        assert value.dtype == (np.uint8 if name == 'classes' else np.float32)
        assert value.shape == (2, 64, 96)
    np.testing.assert_allclose(prediction.depth_variance, prediction.depth_std**2)


def test_one_image_gives_the_maps_of_a_batch_of_one(engine, images):
    one, batch = engine.predict(images[1]), engine.predict(images[1:])
    assert one.depth.shape == (64, 96)
    np.testing.assert_array_equal(one.depth, batch.depth[0])


def test_frames_are_resized_to_the_network_and_maps_to_the_asked_size(engine, images):
    large = np.stack(
        [cv2.resize(image, (192, 128), None, 0, 0, cv2.INTER_NEAREST) for image in images]
    )
    assert engine.predict(large).entropy.shape == (2, 128, 192)
    # Doubling by repetition and halving by area is the identity, so the maps must be equal.
    same = engine.predict(large, size=(64, 96))
    np.testing.assert_array_equal(same.classes, engine.predict(images).classes)


def test_only_the_maps_asked_for_are_there(engine, images):
    prediction = engine.predict(images, outputs=('depth', 'entropy'))
    assert set(prediction.maps()) == {'depth', 'entropy'}
    assert engine.predict(images, outputs=()).maps() == {}


@pytest.mark.parametrize(
    ('network', 'there'),
    [
        (SegFormer('mit_b0', 3), {'classes', 'entropy', 'confidence'}),
        (DepthFormer('mit_b0'), {'depth', 'depth_std'}),
    ],
)
def test_a_network_with_one_head_gives_its_maps_and_none_else(network, there, tmp_path, images):
    names = CLASSES if isinstance(network, SegFormer) else {}
    info = CheckpointInfo(type(network).__name__, 'mit_b0', 256, **names)
    checkpoint.save(network, info, tmp_path / 'one.safetensors')
    engine = create_engine(tmp_path / 'one.safetensors', 'torch', 'cpu')
    assert set(engine.outputs) == set(engine.predict(images).maps()) == there
    assert engine.predict(images, outputs=OUTPUTS).maps().keys() == there


@pytest.mark.parametrize(
    'images',
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(engine, images):
    with pytest.raises(ValueError, match='expected RGB uint8'):
        engine.predict(images)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'engine': 'warp'}, "no engine 'warp': choose of auto"),
        ({'device': 'tpu'}, "no device 'tpu': choose"),
        ({'device': 'cuda:x'}, "no device 'cuda:x': choose"),
        ({'device': 'cuda:99'}, "device 'cuda:99' was asked for, but PyTorch sees"),
    ],
)
def test_an_engine_that_cannot_be_had_says_why(path, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_engine(path, **arguments)


def test_an_unknown_output_is_refused(engine, images):
    with pytest.raises(ValueError, match='no output named variance: choose of classes'):
        engine.predict(images, outputs=('variance',))


def test_an_encoder_alone_cannot_run(tmp_path):
    network = emu_model.networks.Network((), 'mit_b0')
    info = CheckpointInfo('Encoder', 'mit_b0', 256)
    checkpoint.save(network, info, tmp_path / 'encoder.safetensors')
    with pytest.raises(ValueError, match='an encoder without heads'):
        create_engine(tmp_path / 'encoder.safetensors')
