import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from emu_model import plots
from emu_model.plots import DEPTH, DEPTH_STD, ENTROPY, NO_VALUE_COLOUR, colour_limits, colourise


def colours_of(style, fractions):
    return matplotlib.colormaps[style.colour_map](fractions, bytes=True)[..., :3].astype(int)


def test_a_linear_scale_spreads_equal_differences_over_equal_steps_of_colour():
    values = np.array([[0.0, 0.5, 1.0, 2.0]])
    expected = colours_of(ENTROPY, np.array([[0.0, 0.25, 0.5, 1.0]]))
    assert (colourise(values, ENTROPY, (0.0, 2.0)) == expected).all()


def test_a_logarithmic_scale_spreads_equal_ratios_over_equal_steps_of_colour():
    values = np.array([1.0, 3.0, 9.0, 27.0, 81.0])
    expected = colours_of(DEPTH, np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    # The logarithm may fall on the other side of one of the 256 steps.
    assert np.abs(colourise(values, DEPTH, (1.0, 81.0)).astype(int) - expected).max() <= 8


def test_values_outside_the_scale_take_the_colours_of_its_ends():
    ends = colourise(np.array([1.0, 10.0]), DEPTH, (1.0, 10.0))
    assert (colourise(np.array([0.01, 500.0]), DEPTH, (1.0, 10.0)) == ends).all()


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_depth_that_is_no_distance_is_grey(value):
    assert tuple(colourise(np.array([value, 3.0]), DEPTH, (1.0, 10.0))[0]) == NO_VALUE_COLOUR


def test_zero_uncertainty_is_a_value_like_any_other():
    lowest = colours_of(ENTROPY, np.zeros(1))
    assert (colourise(np.array([0.0, 1.0]), ENTROPY)[0] == lowest).all()


def test_limits_leave_out_a_percent_at_each_end():
    values = np.arange(1.0, 10002.0)
    low, high = colour_limits([values[:5000], values[5000:]], DEPTH)
    assert low == pytest.approx(101)
    assert high == pytest.approx(9901)


def test_limits_of_an_uncertainty_start_at_zero():
    assert colour_limits([np.linspace(2.0, 3.0, 101)], DEPTH_STD) == (0.0, pytest.approx(2.99))


@pytest.mark.parametrize('style', [DEPTH, DEPTH_STD, ENTROPY])
@pytest.mark.parametrize(
    'values', [np.zeros(0), np.full(4, np.nan), np.zeros(4), np.full(4, 7.0), np.full(4, -2.0)]
)
def test_limits_are_a_scale_even_of_maps_without_contrast(style, values):
    low, high = colour_limits([values], style)
    assert low < high
    assert low > 0 or not style.logarithmic


def test_a_colour_bar_names_the_unit_and_marks_values_inside_the_scale():
    for style, limits in ((DEPTH, (0.7, 63.0)), (DEPTH, (2.0, 3.0)), (ENTROPY, (0.0, 1.7))):
        axes = Figure().add_axes((0, 0, 1, 0.1))
        plots.draw_colour_bar(axes, style, limits)
        ticks = [float(label.get_text()) for label in axes.get_xticklabels()]
        inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
        assert len(inside) >= 3
        assert axes.get_xlabel().startswith(style.unit)


def test_importing_it_needs_neither_torch_nor_matplotlib():
    code = (
        'import sys, emu_model.plots, emu_model.overview, emu_model.overlay;'
        'assert not {"torch", "matplotlib"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
