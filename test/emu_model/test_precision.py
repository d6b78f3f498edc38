"""What a precision may change: measured on validation scenes with the bundled checkpoint."""

import numpy as np
import pytest
import torch

from emu_model import scenes
from emu_model.checkpoint import BUNDLED, load, read_info
from emu_model.engines import create_engine
from emu_model.engines.choice import is_installed
from emu_model.maps import predict_maps
from emu_model.metrics import DepthMetrics, SemanticMetrics
from emu_model.tasks import OUTPUTS

FIRST_VALIDATION_SEED = 10_000_000
FRAMES = 24
FARTHEST_M = 80.0

pytestmark = pytest.mark.skipif(not BUNDLED.is_file(), reason='no bundled checkpoint')


@pytest.fixture(scope='module')
def frames():
    info = read_info(BUNDLED)
    return [
        scenes.render(
            ('street', 'indoor')[index % 2],
            FIRST_VALIDATION_SEED + index,
            *info.input_size,
            focal_length_px=info.focal_length_px,
        )
        for index in range(FRAMES)
    ]


@pytest.fixture(scope='module')
def images(frames):
    return np.stack([frame.image for frame in frames])


@pytest.fixture(scope='module')
def plain(images):
    """The maps of the plain network in fp32, by definition."""
    info = read_info(BUNDLED)
    image = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (info.mean, info.std))
    with torch.inference_mode():
        maps = predict_maps(load(BUNDLED)((image - mean) / std), OUTPUTS, info.input_size)
    return {name: value.numpy() for name, value in maps.items()}


@pytest.fixture(scope='module')
def plain_figures(plain, frames):
    return figures(plain, frames)


def figures(maps, frames):
    """mIoU, ECE and RMSE against the ground truth."""
    semantic = SemanticMetrics(len(read_info(BUNDLED).class_names))
    depth = DepthMetrics()
    truth = np.stack([frame.depth for frame in frames])
    truth = np.where(truth > FARTHEST_M, 0, truth).astype(np.float32)
    classes = np.stack([frame.classes for frame in frames]).astype(np.int64)
    semantic.update(
        torch.from_numpy(maps['classes']),
        torch.from_numpy(classes),
        confidence=torch.from_numpy(maps['confidence']),
    )
    depth.update(
        torch.from_numpy(maps['depth']),
        torch.from_numpy(truth),
        variance=torch.from_numpy(maps['depth_std'] ** 2),
    )
    return semantic.compute()['miou'], semantic.compute()['ece'], depth.compute()['rmse']


def correlation(one, other):
    return np.corrcoef(one.ravel().astype(np.float64), other.ravel().astype(np.float64))[0, 1]


@pytest.fixture
def assert_as_good(plain, plain_figures, frames):
    def check(maps):
        miou, ece, rmse = figures(maps, frames)
        plain_miou, plain_ece, plain_rmse = plain_figures
        assert miou == pytest.approx(plain_miou, abs=0.003)
        assert ece == pytest.approx(plain_ece, abs=0.002)
        assert rmse == pytest.approx(plain_rmse, rel=0.005)
        for name in ('entropy', 'depth_std'):
            assert correlation(maps[name], plain[name]) > 0.999

    return check


@pytest.mark.parametrize('precision', ['auto', 'fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('name', ['torch', 'openvino', 'onnxruntime'])
def test_every_precision_that_can_be_chosen_keeps_the_maps_as_good(
    name, precision, assert_as_good, images
):
    if not is_installed(name):
        pytest.skip(f'{name} is not installed')
    try:
        engine = create_engine(BUNDLED, name, 'cpu', precision=precision)
    except ValueError as error:
        if precision in ('auto', 'fp32') or 'comput' not in str(error):
            raise
        pytest.skip(str(error))
    assert_as_good(engine.predict(images).maps())


@pytest.mark.parametrize('precision', ['bf16', pytest.param('fp16', marks=pytest.mark.slow)])
def test_the_network_of_the_cuda_engine_keeps_the_maps_as_good(precision, assert_as_good, images):
    pytest.importorskip('triton', reason='Triton is there on Linux alone')
    from emu_model.engines.torch_cuda_engine import DTYPES, FrameNetwork

    network = load(BUNDLED)
    with torch.inference_mode():
        raw = FrameNetwork(network, network.info, DTYPES[precision])(torch.from_numpy(images))
        maps = predict_maps(raw, OUTPUTS, network.info.input_size)
    assert_as_good({name: value.numpy() for name, value in maps.items()})
