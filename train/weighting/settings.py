"""How large the experiment is on each data set, and the weights that it tries."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from train.evaluation import EvaluationData
from train.reproduce.scale import Scale
from train.reproduce.settings import OneEncoderSettings

SCALES: dict[str, dict[str, Scale]] = {
    'cityscapes': {
        'full': Scale(validations=1),
        'quick': Scale(steps=100, validations=1, resamples=200),
    },
    'synthetic': {
        'full': Scale(
            steps=400,
            pretrain_steps=600,
            validations=1,
            frame_size=(128, 256),
            train_frames=1600,
            validation_frames=40,
            test_frames=100,
            resamples=500,
        ),
        'quick': Scale(
            steps=12,
            pretrain_steps=12,
            validations=1,
            frame_size=(64, 128),
            train_frames=32,
            validation_frames=4,
            test_frames=8,
            resamples=50,
        ),
    },
}
"""By data set and name."""

DEPTH_WEIGHTS = (1.0, 5.0, 25.0, 125.0, 625.0)
"""Fixed weights of the inverse depth beside those of the classes, which are 1."""

INSTANCE_WEIGHTS = (0.02, 0.1, 0.5)
"""Likewise, of the offsets to centroids; with the middle three of the former."""


@dataclass(frozen=True)
class WeightingSettings(OneEncoderSettings):
    """Everything that decides what the experiment gives."""

    scales: ClassVar[Mapping[str, Mapping[str, Scale]]] = SCALES
    shifts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @property
    def config(self) -> str:
        """The configuration of the data, below train/configs."""
        return 'data/cityscapes_tiny' if self.data == 'cityscapes' else f'data/{self.data}'

    def test_data(self, variant: str = '') -> EvaluationData:
        """The frames that figures are reported on."""
        # Synthetic frames are read faster than processes that would read them start.
        workers = {'workers': 0} if self.data == 'synthetic' else {}
        return replace(super().test_data(variant), **workers)
