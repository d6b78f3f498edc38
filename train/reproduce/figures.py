"""Figures of an experiment: what networks see, and how far their uncertainty can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import emu_model
from emu_model.overview import OverviewRow, overview_figure
from emu_model.prediction import Prediction
from emu_model.tasks import OUTPUTS
from train.data import build
from train.evaluation import EvaluationData, predict
from train.reproduce.evaluations import Result
from train.reproduce.layout import Layout
from train.reproduce.results import ResultSet
from train.reproduce.settings import Settings
from train.reproduce.tables import METHODS, MULTI_TASK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    'single': '#4477aa',
    'single_finetuned': '#66ccee',
    'mc_dropout_20': '#ccbb44',
    'mc_dropout_50': '#997700',
    'sub_ensemble': '#aa3377',
    'ensemble': '#228833',
    'emuformer': '#ee6677',
}
"""Colour of each method, from Paul Tol's scheme for readers with any colour vision."""

_PICTURED_METHODS = ('single', 'ensemble', 'emuformer')
_PICTURED_FRAMES = 2
_DPI = 110


def draw_figures(layout: Layout, results: ResultSet, settings: Settings) -> dict[str, Path]:
    """Draw every figure that there are results for.

    Args:
        layout: The experiment's folder; the figures go to figures/ in it.
        results: All results.
        settings: Of the experiment.

    Returns:
        {caption: file}.
    """
    backbone = settings.backbones[0]
    shown = {}
    for method in METHODS:
        found = results.of(backbone, MULTI_TASK, method).results
        if found:
            shown[method] = found[0]
    if not shown:
        return {}
    folder = layout.root / 'figures'
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, (caption, draw) in _FIGURES.items():
        drawn[caption] = save_figure(draw(shown), folder / f'{name}.png')
    pictured = {method: shown[method] for method in _PICTURED_METHODS if method in shown}
    figure = qualitative(layout, pictured, settings.test_data())
    return {
        'Test frames: ground truth, and what each network makes of them': save_figure(
            figure, folder / 'qualitative.jpg'
        ),
        **drawn,
    }


def reliability(results: Mapping[str, Result]) -> 'Figure':
    """Accuracy against confidence in 15 bins; a calibrated network is on the diagonal."""
    figure, (axes,) = new_figure(1)
    axes.plot([0, 1], [0, 1], color='0.7', linewidth=1)
    for method, result in results.items():
        curve = result.curves['semantic']['reliability_15']
        axes.plot(*_pairs(curve['confidence'], curve['accuracy']), marker='.', **_style(method))
    label_axes(axes, 'confidence', 'accuracy')
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return figure


def risk_coverage(results: Mapping[str, Result]) -> 'Figure':
    """Share of wrong classes among the pixels kept, the most certain first."""
    figure, (axes,) = new_figure(1)
    for method, result in results.items():
        curve = result.curves['semantic']['risk_coverage']
        axes.plot(*_pairs(curve['coverage'], curve['risk']), **_style(method))
    label_axes(axes, 'coverage', 'share of wrong classes')
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def sparsification(results: Mapping[str, Result]) -> 'Figure':
    """Depth error of what remains as the most uncertain pixels go; dotted, the best possible."""
    figure, (axes,) = new_figure(1)
    for method, result in results.items():
        curve = result.curves['depth']['sparsification']
        axes.plot(*_pairs(curve['removed'], curve['model']), **_style(method))
        axes.plot(
            *_pairs(curve['removed'], curve['oracle']),
            color=COLOURS[method],
            linestyle=':',
            linewidth=1,
        )
    label_axes(axes, 'share of pixels removed', 'RMSE of the others, m')
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def speed_against_quality(results: Mapping[str, Result]) -> 'Figure':
    """Time of a frame against the quality of both tasks and of their uncertainty."""
    from matplotlib.ticker import LogLocator, NullFormatter

    panels = {
        'semantic.miou': 'mIoU ↑',
        'semantic.aurc': 'AURC ↓',
        'depth.rmse': 'RMSE, m ↓',
        'depth.ause': 'AUSE, m ↓',
    }
    figure, all_axes = new_figure(len(panels), width=3.2)
    for axes, (key, title) in zip(all_axes, panels.items()):
        for method, result in results.items():
            point = result.figure('inference_ms.median'), result.figure(key)
            axes.plot(*point, 'o', color=COLOURS[method], label=METHODS[method])
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter('{x:g}')
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.ticklabel_format(axis='y', useOffset=False)
        label_axes(axes, 'ms a frame', '')
        axes.set_title(title, fontsize=10)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=4, frameon=False, fontsize=8)
    return figure


def qualitative(layout: Layout, results: Mapping[str, Result], data: EvaluationData) -> 'Figure':
    """The maps of a few test frames, ground truth first."""
    dataset = build(data.name, data.root, data.split, **data.options)
    rows = []
    # Next to each other, as kinds of scenes alternate where there are several.
    first = len(dataset) // 2
    for index in range(first, min(first + _PICTURED_FRAMES, len(dataset))):
        sample = dataset.read(index)
        depth = np.where(sample.depth > 0, sample.depth, np.float32(np.nan))
        truth = Prediction(classes=sample.classes, depth=depth)
        rows.append(OverviewRow('ground truth', sample.image, truth))
        for method, result in results.items():
            model = result.model
            network = emu_model.load(layout.checkpoint(model.name, model.members))
            prediction = _predict_maps(network, sample.tensors()['image'])
            rows.append(OverviewRow(METHODS[method], sample.image, prediction))
    return overview_figure(rows, dataset.labels)


@torch.inference_mode()
def _predict_maps(network, image: torch.Tensor) -> Prediction:
    torch.manual_seed(0)
    maps = predict(network, image[None]).maps(OUTPUTS)
    return Prediction(**{name: value[0].numpy() for name, value in maps.items()})


_FIGURES: dict[str, tuple[str, Callable[[Mapping[str, Result]], 'Figure']]] = {
    'reliability': (
        'Reliability diagram of the classes, first seed; a calibrated network is on the diagonal',
        reliability,
    ),
    'risk_coverage': ('Risk-coverage curve of the classes, first seed', risk_coverage),
    'sparsification': (
        'Sparsification of the depth error, first seed; dotted, the oracle',
        sparsification,
    ),
    'speed_quality': ('Speed against quality, first seed', speed_against_quality),
}
"""By file name: caption and how it is drawn."""


def new_figure(panels: int, width: float = 5.5) -> tuple['Figure', Sequence['Axes']]:
    """A figure with panels side by side, each so many inches wide."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, 4.2 if panels == 1 else 3.4), layout='constrained')
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def label_axes(axes: 'Axes', x: str, y: str) -> None:
    """Name the axes, with a light grid and without a frame."""
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color='0.92', linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)


def _style(method: str) -> dict:
    return {'color': COLOURS[method], 'label': METHODS[method], 'linewidth': 1.6}


def _pairs(x: Sequence[float | None], y: Sequence[float | None]) -> tuple[list, list]:
    """The points of a curve that are defined."""
    points = [(a, b) for a, b in zip(x, y) if a is not None and b is not None]
    return [a for a, _ in points], [b for _, b in points]


def save_figure(figure: 'Figure', path: Path) -> Path:
    """Write a figure; returns the file."""
    figure.savefig(path, dpi=_DPI)
    return path
