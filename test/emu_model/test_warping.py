"""Warping between the views of a rectified pair."""

import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from real_data import real_data

from emu_model import scenes
from emu_model.warping import disparity_from_depth, is_visible, left_right_residual, warp

VIEWS = ('left', 'right')


def planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def sampled_by_hand(row: list[float], column: float) -> float:
    low = math.floor(column)
    share = column - low
    high = min(low + 1, len(row) - 1)
    return (1 - share) * row[low] + share * row[high]


@pytest.mark.parametrize(('view', 'direction'), [('left', -1), ('right', 1)])
def test_pixels_are_sampled_bilinearly_where_the_other_view_has_them(view, direction):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(2, 3, 4, 9, generator=generator, dtype=torch.float64)
    disparity = 8 * torch.rand(2, 4, 9, generator=generator, dtype=torch.float64) - 1
    disparity[0, 0, 0] = torch.nan
    warped = warp(values, disparity, view)
    for b, channel, y, x in np.ndindex(values.shape):
        column = x + direction * disparity[b, y, x].item()
        inside = 0 <= column <= 8
        assert warped.in_frame[b, y, x] == inside
        if inside:
            expected = sampled_by_hand(values[b, channel, y].tolist(), column)
            assert warped.values[b, channel, y, x].item() == pytest.approx(expected)


def test_values_and_gradients_are_those_of_grid_sample():
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(2, 3, 5, 12, generator=generator, dtype=torch.float64)
    disparity = 6 * torch.rand(2, 5, 12, generator=generator, dtype=torch.float64)
    inputs = [(values.clone().requires_grad_(), disparity.clone().requires_grad_()) for _ in '12']
    ours = warp(*inputs[0], 'left').values
    columns = torch.arange(12.0).double() - inputs[1][1]
    rows = torch.arange(5.0).double().view(1, 5, 1).expand_as(columns)
    grid = torch.stack([2 * columns / 11 - 1, 2 * rows / 4 - 1], dim=-1)
    theirs = F.grid_sample(inputs[1][0], grid, padding_mode='border', align_corners=True)
    torch.testing.assert_close(ours, theirs)
    weight = torch.rand(ours.shape, generator=generator, dtype=torch.float64)
    for result in (ours, theirs):
        (weight * result).sum().backward()
    for mine, reference in zip(*inputs):
        torch.testing.assert_close(mine.grad, reference.grad)


@given(st.integers(0, 2**32 - 1), st.sampled_from(VIEWS))
def test_probabilities_stay_probabilities(seed, view):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(1, 4, 3, 8, generator=generator).softmax(dim=1)
    disparity = 10 * torch.rand(1, 3, 8, generator=generator)
    warped = warp(probabilities, disparity, view).values
    assert warped.min() >= 0
    torch.testing.assert_close(warped.sum(dim=1), torch.ones(1, 3, 8))


def test_unknown_depth_gives_no_disparity_and_no_gradient():
    depth = torch.tensor([[[4.0, 0.0, -1.0, torch.inf, torch.nan]]], requires_grad=True)
    disparity = disparity_from_depth(depth, torch.tensor([8.0]), torch.tensor([0.5]))
    assert disparity[0, 0, 0].item() == 8 / 4 - 0.5
    assert disparity[0, 0, 1:].isnan().all()
    warp(torch.rand(1, 1, 1, 5), disparity, 'right').values.sum().backward()
    assert depth.grad.isfinite().all()


@pytest.fixture(scope='module', params=['street', 'indoor'])
def rendered(request):
    """A synthetic pair: {view: (image, depth)}, focal length times baseline."""
    frames = scenes.stereo_pair(request.param, 3, 120, 160)
    maps = {
        view: (planes(frame.image), torch.from_numpy(frame.depth)[None])
        for view, frame in zip(VIEWS, frames)
    }
    return maps, torch.tensor([frames[0].intrinsics.fx * frames[0].baseline_m])


@pytest.mark.parametrize('view', VIEWS)
def test_a_synthetic_pair_fits_where_both_views_see_the_same(rendered, view):
    maps, focal_baseline = rendered
    other = VIEWS[1 - VIEWS.index(view)]
    disparity = {
        name: disparity_from_depth(depth, focal_baseline, torch.zeros(1))
        for name, (_, depth) in maps.items()
    }
    image, depth = maps[view]
    seen = is_visible(disparity[view], disparity[other], view, tolerance_px=0.5)
    assert seen.float().mean() > 0.4
    image_error = (warp(maps[other][0], disparity[view], view).values - image).abs().mean(dim=1)
    # Of 255 grey levels: noise of both cameras, and fine texture that is sampled anew.
    assert image_error[seen].median() < 6
    # Surfaces in front of the sky are next to infinite depth, which bilinear sampling mixes in.
    finite = maps[other][1].nan_to_num(posinf=0)
    depth_error = (warp(finite[:, None], disparity[view], view).values[:, 0] - depth).abs()
    assert (depth_error / depth)[seen].median() < 2e-3
    hidden = ~seen & depth.isfinite()
    assert image_error[hidden].mean() > 1.5 * image_error[seen].mean()


@pytest.fixture(scope='module')
def motorcycle():
    """The Middlebury pair: left, right image and left disparity, (1, C, H, W) and (1, H, W)."""
    folder = real_data('motorcycle_stereo')
    images = [
        planes(cv2.imread(str(folder / f'motorcycle_{view}.png'))[..., ::-1].copy())
        for view in VIEWS
    ]
    with np.load(folder / 'motorcycle_disp.npz') as arrays:
        disparity = torch.from_numpy(arrays['arr_0'])[None]
    return *images, disparity


def test_the_middlebury_pair_fits_with_its_offset_of_principal_points(motorcycle):
    left, right, disparity = motorcycle
    depth = 0.193001 * 994.978 / (disparity + 31.086)
    focal_baseline = torch.tensor([0.193001 * 994.978])

    def error(doffs: float) -> float:
        predicted = disparity_from_depth(depth, focal_baseline, torch.tensor([doffs]))
        warped = warp(right, predicted, 'left')
        known = warped.in_frame & disparity.isfinite()
        return (warped.values - left).abs().mean(dim=1)[known].median().item()

    # Half of the pixels are within 3 of 255 grey levels; occlusions are not told apart here.
    assert error(31.086) < 3
    assert error(0.0) > 4 * error(31.086)
    assert error(31.086) < min(error(30.086), error(32.086))


def test_points_hidden_in_the_other_view_are_not_visible():
    # A bar at columns 4 to 6 of the left view, 3 px nearer than what is behind it.
    left = torch.full((1, 1, 12), 1.0)
    left[0, 0, 4:7] = 4
    right = torch.full((1, 1, 12), 1.0)
    right[0, 0, 0:3] = 4
    assert is_visible(left, right, 'left')[0, 0].tolist() == [
        *[False] * 4, *[True] * 8,
    ]  # fmt: skip
    # Behind the bar, columns 1 to 3 of the left view; column 0 is out of the right one.
    residual = left_right_residual(left, right, 'left')[0, 0]
    assert residual[:4].tolist() == [math.inf, 3, 3, 3]
    assert is_visible(right, left, 'right')[0, 0].tolist() == [
        *[True] * 3, *[False] * 3, *[True] * 5, False,
    ]  # fmt: skip
