"""Heads and maps in strips against the plain PyTorch forms, in both runtimes."""

import threading
import time
from functools import partial

import numpy as np
import pytest
import torch

from emu_model.engines import onnxruntime_engine, openvino_engine, strips
from emu_model.engines.strips import (
    HeadStrips,
    Job,
    StripPool,
    TailStrips,
    strip_starts,
    windows,
)
from emu_model.folding import fold_head
from emu_model.heads import AllMLPHead
from emu_model.maps import predict_maps
from emu_model.resampling import linear_taps, taps_matrix
from emu_model.tasks import TASKS

OUTPUTS = tuple(output for task in TASKS.values() for output in task.outputs)


COMPILERS = {
    'openvino': partial(openvino_engine.compile_strip, precision='fp32'),
    'onnxruntime': onnxruntime_engine.compile_strip,
}


@pytest.fixture(params=COMPILERS)
def compile_strip(request):
    return COMPILERS[request.param]


@pytest.fixture(scope='module')
def pool():
    pool = StripPool(2)
    yield pool
    pool.close()


@pytest.fixture
def small_strips(monkeypatch):
    """Strips of a few rows and columns, so that small maps have several."""
    monkeypatch.setattr(strips, '_STRIP_BYTES', 4096)
    monkeypatch.setattr(strips, '_HEAD_COLUMNS', 10)


def raw_outputs(classes=5, size=(6, 7), scale=4.0):
    generator = torch.Generator().manual_seed(3)
    return {
        'semantic': scale * torch.randn(1, classes, *size, generator=generator),
        'depth': scale * torch.randn(1, 2, *size, generator=generator),
        'instance': scale * torch.randn(1, 2, *size, generator=generator),
    }


def maps_in_strips(raw, outputs, size, compile_strip, pool):
    rows_first = {
        task: np.ascontiguousarray(value[0].numpy().transpose(1, 0, 2))
        for task, value in raw.items()
    }
    shapes = {task: value.shape for task, value in rows_first.items()}
    return TailStrips(shapes, outputs, size, compile_strip, pool).run(rows_first)


def assert_same(maps, expected):
    assert maps.keys() == expected.keys()
    for name, value in expected.items():
        if name == 'classes':
            np.testing.assert_array_equal(maps[name], value[0])
        else:  # a few fp32 roundings apart: other order of sums, other exponential
            # of what was interpolated between, which for offsets cancels
            atol = 3e-6 * max(1, float(value.abs().max())) if name.startswith('offset') else 3e-6
            np.testing.assert_allclose(maps[name], value[0], rtol=2e-5, atol=atol)


@pytest.mark.parametrize(('source', 'target'), [(5, 20), (7, 16), (9, 4), (1, 3), (6, 6)])
def test_taps_are_bilinear_interpolation(source, target):
    x = torch.randn(1, 1, 1, source)
    expected = torch.nn.functional.interpolate(x, size=(1, target), mode='bilinear')
    expected, x = expected.flatten().numpy(), x.flatten().numpy()
    low, high, share = linear_taps(source, target)
    # PyTorch computes positions in fp32, which costs a few 1e-7 of the distance.
    np.testing.assert_allclose(x[low] + share * (x[high] - x[low]), expected, atol=1e-5)
    np.testing.assert_allclose(taps_matrix(low, high, share, source) @ x, expected, atol=1e-5)


@pytest.mark.parametrize(('total', 'rows'), [(12, 4), (13, 4), (3, 3), (5, 1)])
def test_strips_cover_every_row_and_leave_none(total, rows):
    starts = strip_starts(total, rows)
    assert {row for start in starts for row in range(start, start + rows)} == set(range(total))


@pytest.mark.parametrize(('source', 'target', 'rows'), [(30, 120, 8), (7, 25, 4), (9, 9, 2)])
def test_windows_hold_the_rows_their_strip_needs(source, target, rows):
    x = np.random.default_rng(0).random((source, 3, 2), np.float32)
    low, high, share = linear_taps(source, target)
    expected = x[low] + share[:, None, None] * (x[high] - x[low])
    found = windows(source, target, rows)
    for start, window in zip(strip_starts(target, rows), found):
        part = x[window.part]
        low, high, share = window.row_taps
        mixed = part[low] + share * (part[high] - part[low])
        np.testing.assert_array_equal(mixed, expected[start : start + rows])
    assert len({window.length for window in found}) == 1


@pytest.mark.parametrize('size', [(6, 7), (24, 28), (23, 31), (5, 4)])
def test_maps_in_strips_are_the_plain_ones(size, compile_strip, pool, small_strips):
    raw = raw_outputs()
    maps = maps_in_strips(raw, OUTPUTS, size, compile_strip, pool)
    assert_same(maps, predict_maps(raw, OUTPUTS, size))


@pytest.mark.parametrize(
    'outputs', [('classes',), ('entropy',), ('confidence', 'depth'), ('classes', 'depth_std')]
)
def test_only_wanted_maps_are_made(outputs, compile_strip, pool):
    raw = raw_outputs()
    maps = maps_in_strips(raw, outputs, (12, 14), compile_strip, pool)
    assert_same(maps, predict_maps(raw, outputs, (12, 14)))


@pytest.mark.parametrize('classes', [1, 2, 40, 255])
def test_any_number_of_classes(classes, compile_strip, pool, small_strips):
    raw = raw_outputs(classes)
    maps = maps_in_strips(raw, OUTPUTS, (12, 14), compile_strip, pool)
    assert_same(maps, predict_maps(raw, OUTPUTS, (12, 14)))


def test_extreme_values_stay_finite_and_right(compile_strip, pool):
    raw = raw_outputs(scale=1e4)
    maps = maps_in_strips(raw, OUTPUTS, (9, 9), compile_strip, pool)
    assert all(np.isfinite(value).all() for value in maps.values())
    assert_same(maps, predict_maps(raw, OUTPUTS, (9, 9)))


@pytest.mark.parametrize('finest', [(16, 24), (13, 19)])
def test_heads_in_strips_are_the_plain_ones(finest, compile_strip, pool, small_strips):
    torch.manual_seed(0)
    channels = (8, 16, 24, 32)
    sizes = [tuple(-(-axis // 2**level) for axis in finest) for level in range(4)]
    head = AllMLPHead(list(channels), 5, 64).eval()
    torch.nn.init.normal_(head.norm.running_mean)
    torch.nn.init.uniform_(head.norm.running_var, 0.5, 2)
    features = [torch.randn(1, c, *size) for c, size in zip(channels, sizes)]
    with torch.inference_mode():
        expected = head(features)[0].numpy().transpose(1, 0, 2)
    folded = fold_head({name: value.numpy() for name, value in head.state_dict().items()})
    maps = [np.ascontiguousarray(feature[0].permute(1, 2, 0)) for feature in features]
    coarse = [feature @ matrix.T for feature, matrix in zip(maps, folded.projections)][1:]
    found = HeadStrips(folded, sizes, compile_strip, pool).run(maps[0], coarse)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_failing_strip_fails_the_whole(pool):
    def broken(inputs):
        raise RuntimeError('out of memory')

    with pytest.raises(RuntimeError, match='out of memory'):
        pool.run([broken, broken], [strips.Job((), ())] * 3)


def test_a_worker_that_fails_is_told_of_once_no_other_is_at_work(pool):
    failed, at_work = threading.Event(), threading.Event()

    def fail(inputs):
        assert at_work.wait(10)
        failed.set()
        raise RuntimeError('out of memory')

    def go_on(inputs):
        at_work.set()
        assert failed.wait(10)
        time.sleep(0.05)
        at_work.clear()
        return []

    with pytest.raises(RuntimeError, match='out of memory'):
        pool.run([fail, go_on], [Job((), ()), Job((), ())])
    assert not at_work.is_set()
