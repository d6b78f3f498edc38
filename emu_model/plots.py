"""How maps are coloured, everywhere the same: in the demo, in results and in reports.

It imports neither PyTorch nor, before something is drawn, matplotlib.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

Limits = tuple[float, float]

NO_VALUE_COLOUR = (158, 158, 158)
"""Grey where a map has no value (NaN or infinite)."""


@dataclass(frozen=True)
class MapStyle:
    """How a map of numbers is drawn.

    Attributes:
        title: What the map shows.
        unit: The unit of its values.
        colour_map: Name of matplotlib's colour map, low to high.
        logarithmic: Equal ratios, not equal differences, get equal steps of colour.
        from_zero: The scale starts at zero, the value of a prediction that is perfectly sure.
    """

    title: str
    unit: str
    colour_map: str
    logarithmic: bool = False
    from_zero: bool = False


ENTROPY = MapStyle('Semantic uncertainty', 'nats', 'inferno', from_zero=True)
DEPTH = MapStyle('Depth', 'm', 'turbo_r', logarithmic=True)
DEPTH_STD = MapStyle('Depth uncertainty', 'm', 'inferno', from_zero=True)

STYLES = {'entropy': ENTROPY, 'depth': DEPTH, 'depth_std': DEPTH_STD}
"""Styles of the maps of a Prediction that have a colour scale, by field."""


def colour_limits(maps: Iterable[np.ndarray], style: MapStyle) -> Limits:
    """A common colour scale for maps that are to be compared.

    The highest and (unless the style starts at zero) the lowest percent of the values lie outside
    of it, so that a few odd pixels do not leave everything else in one colour.

    Args:
        maps: Maps of any shape; values that are not finite do not count, nor, on a logarithmic
            scale, values that are not positive.
        style: How they will be drawn.

    Returns:
        (low, high) in the style's unit, low < high; (0, 1), or (0.1, 1) on a logarithmic scale,
        where no value counts.
    """
    values = np.concatenate([np.zeros(0), *(m[_drawable(m, style)] for m in maps)])
    if values.size == 0:
        return (0.1, 1.0) if style.logarithmic else (0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    if style.from_zero:
        low = 0.0
    if high - low < 1e-3 * abs(low):
        high = 1.1 * low
    return (low, high) if high > low else (low, low + 1.0)


def colourise(values: np.ndarray, style: MapStyle, limits: Limits | None = None) -> np.ndarray:
    """A map as colours.

    Args:
        values: Numbers of any shape.
        style: Colour map and scale.
        limits: Values at the ends of the scale; `colour_limits` of the map itself by default.

    Returns:
        RGB, uint8 (*values.shape, 3); grey where there is no value.
    """
    import matplotlib

    norm = _norm(style, limits or colour_limits([values], style))
    valid = _drawable(values, style)
    scaled = np.asarray(norm(np.where(valid, values, norm.vmin)))
    colours = matplotlib.colormaps[style.colour_map](scaled, bytes=True)[..., :3]
    colours[~valid] = NO_VALUE_COLOUR
    return np.ascontiguousarray(colours)


def colourise_instances(instances: np.ndarray) -> np.ndarray:
    """Instance ids as colours: a bright one per id, black for none.

    Args:
        instances: Ids, uint16 of any shape; 0 = none.

    Returns:
        RGB, uint8 (*instances.shape, 3).
    """
    ids = np.arange(1 << 16, dtype=np.uint32)
    # Multiples of the golden ratio spread neighbouring ids evenly over each channel.
    channels = [64 + (ids * step >> 8) % 192 for step in (40503, 25033, 60493)]
    table = np.stack(channels, axis=-1).astype(np.uint8)
    table[0] = 0
    return table[instances]


def draw_colour_bar(axes: 'Axes', style: MapStyle, limits: Limits) -> None:
    """Fill axes with the horizontal colour bar of a scale, its ends labelled, with the unit."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import LogLocator, MaxNLocator

    decades = style.logarithmic and limits[1] >= 4 * limits[0]
    bar = axes.figure.colorbar(
        ScalarMappable(_norm(style, limits), style.colour_map),
        cax=axes,
        orientation='horizontal',
        ticks=LogLocator(subs=(1, 2, 5)) if decades else MaxNLocator(6),
        format='{x:g}',
    )
    bar.minorticks_off()
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=8, length=2, pad=2)
    scale = ' (logarithmic)' if style.logarithmic else ''
    axes.set_xlabel(f'{style.unit}{scale}', fontsize=8, labelpad=1)


def _norm(style: MapStyle, limits: Limits) -> 'Normalize':
    from matplotlib.colors import LogNorm, Normalize

    return (LogNorm if style.logarithmic else Normalize)(*limits, clip=True)


def _drawable(values: np.ndarray, style: MapStyle) -> np.ndarray:
    return np.isfinite(values) & (values > 0) if style.logarithmic else np.isfinite(values)
