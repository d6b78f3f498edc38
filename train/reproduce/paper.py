"""What EMUFormer's authors measured (Landgraf et al. 2024, arXiv 2402.10580; one A100).

Their accuracies count unlabelled pixels as inaccurate; the comparable figures of ours are those of
`semantic_all_pixels` and `depth_all_pixels`.
"""

from collections.abc import Mapping, Sequence

NAMES = {'nyuv2': 'NYUv2', 'cityscapes': 'Cityscapes', 'synthetic': 'synthetic scenes'}
"""Data sets as titles name them."""

TABLES = {
    'cityscapes': {'grid': '2', 'student': '4', 'backbones': '6', 'ablation': '9'},
    'nyuv2': {'grid': '3', 'student': '5', 'backbones': '7', 'ablation': '10'},
    'synthetic': {'grid': '2, 3', 'student': '4, 5', 'backbones': '6, 7', 'ablation': '9, 10'},
}
"""Numbers of the paper's tables; on synthetic scenes, of those with the same layout."""

FIGURES = (
    'semantic.miou',
    'semantic.ece',
    'semantic.p_accurate_certain',
    'semantic.p_uncertain_inaccurate',
    'semantic.pavpu',
    'depth.rmse',
    'depth.p_accurate_certain',
    'depth.p_uncertain_inaccurate',
    'depth.pavpu',
    'inference_ms.median',
)
"""The figures of the tables, in their order."""

Key = tuple[str, str, str, str]
"""(backbone, network, method, depth loss)."""


def _row(*values: float | None) -> dict[str, float]:
    return {figure: value for figure, value in zip(FIGURES, values) if value is not None}


def _errors(miou: float, rmse: float) -> dict[str, float]:
    return {'semantic.miou': miou, 'depth.rmse': rmse}


_BASELINE = ('mit_b2', 'SegDepthFormer', 'single', 'gnll')
_STUDENT = ('mit_b2', 'SegDepthFormer', 'emuformer', 'gnll')
_TEACHER = ('mit_b2', 'SegDepthFormer', 'ensemble', 'gnll')


def _student(backbone: str = 'mit_b2', depth_loss: str = 'gnll') -> Key:
    return (backbone, 'SegDepthFormer', 'emuformer', depth_loss)


MEASURED: Mapping[str, Mapping[Key, Mapping[str, float]]] = {
    'nyuv2': {
        _BASELINE: _row(0.466, 0.151, 0.769, 0.659, 0.733, 0.558, 0.776, 0.446, 0.594, 22.3),
        ('mit_b2', 'SegDepthFormer', 'mc_dropout_20', 'gnll'): _row(
            0.433, 0.093, 0.771, 0.710, 0.725, 0.610, 0.731, 0.450, 0.560, 251.3
        ),
        ('mit_b2', 'SegDepthFormer', 'sub_ensemble', 'gnll'): _row(
            0.461, 0.077, 0.776, 0.692, 0.723, 0.584, 0.738, 0.403, 0.573, 261.7
        ),
        _TEACHER: _row(0.481, 0.122, 0.783, 0.682, 0.733, 0.552, 0.785, 0.453, 0.590, 788.8),
        _STUDENT: _row(0.475, 0.129, 0.787, 0.692, 0.737, 0.514, 0.810, 0.440, 0.633, 22.3),
        _student(depth_loss='mse'): {'depth.rmse': 0.527},
        _student(depth_loss='huber'): {'depth.rmse': 0.533},
        _student('mit_b5'): _errors(0.520, 0.476),
    },
    'cityscapes': {
        _BASELINE: _row(0.738, 0.028, 0.913, 0.592, 0.826, 7.536, 0.745, 0.472, 0.762, 22.0),
        _TEACHER: _row(0.755, 0.015, 0.917, 0.609, 0.828, 7.156, 0.763, 0.493, 0.773, 743.2),
        _STUDENT: _row(0.752, 0.012, 0.923, 0.658, 0.811, 6.983, 0.772, 0.491, 0.783, 22.0),
        _student(depth_loss='mse'): {'depth.rmse': 7.217},
        _student(depth_loss='huber'): {'depth.rmse': 7.340},
        _student('mit_b5'): _errors(0.771, 6.157),
    },
}
"""Figures by data set and network."""

LITERATURE: Mapping[str, Sequence[tuple[str, Mapping[str, float]]]] = {
    'nyuv2': (
        ('SegDepthFormer-B2, as table 8 prints it', _errors(0.476, 0.549)),
        ('EMUFormer-B5', _errors(0.520, 0.476)),
    ),
    'cityscapes': (
        ('SegDepthFormer-B2, as table 8 prints it', _errors(0.763, 7.286)),
        ('EMUFormer-B5', _errors(0.771, 6.157)),
    ),
}
"""Rows of table 8 that are the authors' own, by data set."""

SIZES: Mapping[tuple[str, str], Mapping[str, float]] = {
    ('mit_b2', 'SegFormer'): {'parameters': 27.3e6, 'macs': 72.6e9},
    ('mit_b2', 'DepthFormer'): {'parameters': 27.3e6},
    ('mit_b2', 'SegDepthFormer'): {'parameters': 30.5e6, 'macs': 120.1e9},
}
"""Table 1, on NYUv2 (480x640); what it calls FLOPs are multiply-accumulates."""


def measured(data: str, key: Key) -> Mapping[str, float]:
    """The paper's figures of a network; empty where it has none."""
    return MEASURED.get(data, {}).get(key, {})
