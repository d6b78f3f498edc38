"""Metrics: how good the maps are, and how far their uncertainty can be trusted.

SemanticMetrics, DepthMetrics and InstanceMetrics hold all figures of a task. The single metrics
are torchmetrics.Metric's: streaming, of constant size, summed over processes.
"""

from emu_model.metrics.bootstrap import bootstrap
from emu_model.metrics.calibration import CalibrationError
from emu_model.metrics.certainty import AccuracyVersusUncertainty
from emu_model.metrics.confusion import IntersectionOverUnion
from emu_model.metrics.depth import DepthComparison, DepthMetrics
from emu_model.metrics.depth_errors import DepthErrors, ScaleInvariantError
from emu_model.metrics.eigen import EigenMetrics
from emu_model.metrics.group import MetricGroup
from emu_model.metrics.instance_precision import InstancePrecision
from emu_model.metrics.instances import InstanceMetrics
from emu_model.metrics.probabilities import ProbabilityScores
from emu_model.metrics.selective import RiskCoverage
from emu_model.metrics.semantic import SemanticComparison, SemanticMetrics
from emu_model.metrics.shift import ShiftAUROC
from emu_model.metrics.sparsification import Sparsification
from emu_model.metrics.streaming import PixelMeans, PixelShares

__all__ = [
    'AccuracyVersusUncertainty',
    'CalibrationError',
    'DepthComparison',
    'DepthErrors',
    'DepthMetrics',
    'EigenMetrics',
    'InstanceMetrics',
    'InstancePrecision',
    'IntersectionOverUnion',
    'MetricGroup',
    'PixelMeans',
    'PixelShares',
    'ProbabilityScores',
    'RiskCoverage',
    'ScaleInvariantError',
    'SemanticComparison',
    'SemanticMetrics',
    'ShiftAUROC',
    'Sparsification',
    'bootstrap',
]
