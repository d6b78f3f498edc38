"""The fused kernel against the plain PyTorch form; without a GPU in Triton's interpreter."""

import pytest
import torch

pytest.importorskip('triton', reason='Triton is there on Linux alone')

from emu_model.engines.triton_tail import fused_maps
from emu_model.maps import predict_maps
from emu_model.tasks import TASKS

OUTPUTS = tuple(output for task in TASKS.values() for output in task.outputs)
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def raw_outputs(classes=7, size=(5, 6), scale=4.0):
    generator = torch.Generator().manual_seed(3)
    return {
        'semantic': (scale * torch.randn(2, classes, *size, generator=generator)).to(DEVICE),
        'depth': (scale * torch.randn(2, 2, *size, generator=generator)).to(DEVICE),
        'instance': (scale * torch.randn(2, 2, *size, generator=generator)).to(DEVICE),
    }


def assert_same(fused, plain):
    assert fused.keys() == plain.keys()
    for name, value in plain.items():
        if name == 'classes':
            torch.testing.assert_close(fused[name], value)
        else:  # a few fp32 roundings apart: other order of sums, other exponential
            # of what was interpolated between, which for offsets cancels
            atol = 3e-6 * max(1, value.abs().max()) if name.startswith('offset') else 3e-6
            torch.testing.assert_close(fused[name], value, rtol=1e-5, atol=atol)


@pytest.mark.parametrize(
    ('classes', 'size'), [(1, (5, 6)), (2, (13, 17)), (13, (20, 24)), (40, (7, 9))]
)
def test_fused_maps_are_the_plain_ones(classes, size):
    raw = raw_outputs(classes)
    assert_same(fused_maps(raw, OUTPUTS, size), predict_maps(raw, OUTPUTS, size))


def test_only_wanted_maps_are_written():
    raw = raw_outputs()
    for outputs in (('entropy',), ('classes', 'depth'), ('confidence', 'depth_std'), ()):
        fused = fused_maps(raw, outputs, (9, 9))
        assert_same(fused, predict_maps(raw, outputs, (9, 9)))


def test_strided_and_half_precision_inputs_are_read_as_they_are():
    raw = {
        task: value.half().to(memory_format=torch.channels_last)
        for task, value in raw_outputs().items()
    }
    assert_same(fused_maps(raw, OUTPUTS, (11, 7)), predict_maps(raw, OUTPUTS, (11, 7)))


def test_extreme_values_stay_finite_and_right():
    raw = raw_outputs(scale=1e4)
    fused = fused_maps(raw, OUTPUTS, (9, 9))
    assert all(torch.isfinite(value.float()).all() for value in fused.values())
    assert_same(fused, predict_maps(raw, OUTPUTS, (9, 9)))
