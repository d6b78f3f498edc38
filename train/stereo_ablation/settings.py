"""How large the ablation is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from train.reproduce.scale import Scale
from train.reproduce.settings import OneEncoderSettings, read_config

SCALES: dict[str, dict[str, Scale]] = {
    'synthetic': {
        'full': Scale(
            seeds=2,
            steps=400,
            student_steps=400,
            validations=1,
            train_frames=800,
            validation_frames=32,
            test_frames=128,
            resamples=500,
        ),
        'quick': Scale(
            seeds=1,
            steps=6,
            student_steps=6,
            validations=1,
            train_frames=16,
            validation_frames=4,
            test_frames=6,
            resamples=50,
        ),
    },
}
"""By data set and name; the student's steps are those of the second stage."""

MAX_DISPARITY_PX = 63


@dataclass(frozen=True)
class AblationSettings(OneEncoderSettings):
    """Everything that decides what the ablation gives."""

    scales: ClassVar[Mapping[str, Mapping[str, Scale]]] = SCALES
    shifts: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @property
    def config(self) -> str:
        """The configuration of the data, below train/configs."""
        return f'stereo/{self.data}'

    def pair_options(self) -> dict[str, Any]:
        """Options of the pairs that are trained on."""
        config = read_config(f'{self.config}.yaml')['data']
        return {**config['options'], 'count': self.scale.train_frames}
