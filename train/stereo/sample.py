"""A stereo pair with its pseudo labels between disk and batch, and its transforms."""

import copy
import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train.data.sample import Sample
from train.data.transforms import HorizontalFlip, Transform

RIGHT = 'right_'
"""How the names of the right view's tensors begin."""


@dataclass(frozen=True, kw_only=True)
class StereoSample(Sample):
    """The left view, with the right one beside it.

    Attributes:
        right: The right view.
        baseline_m: Distance between the cameras in metres.
    """

    right: Sample
    baseline_m: float

    @classmethod
    def of(cls, left: Sample, right: Sample, baseline_m: float) -> 'StereoSample':
        """The sample of two views."""
        fields = {field.name: getattr(left, field.name) for field in dataclasses.fields(Sample)}
        return cls(**fields, right=right, baseline_m=baseline_m)

    @property
    def left(self) -> Sample:
        """The left view alone."""
        fields = dataclasses.fields(Sample)
        return Sample(**{field.name: getattr(self, field.name) for field in fields})

    def tensors(self) -> dict[str, Tensor]:
        """The sample as the default collate function batches it.

        Returns:
            The left view's tensors, the right view's with names that begin with RIGHT, and
            `focal_baseline` float32 () in px·m and `doffs` float32 () in pixels
            (emu_model.warping).
        """
        right = {RIGHT + name: value for name, value in self.right.tensors().items()}
        camera = self.intrinsics
        return {
            **self.left.tensors(),
            **right,
            'focal_baseline': torch.tensor(camera.fx * self.baseline_m, dtype=torch.float32),
            'doffs': torch.tensor(self.right.intrinsics.cx - camera.cx, dtype=torch.float32),
        }


@dataclass(frozen=True)
class EachView:
    """A transform that does the same to both views.

    Resizing, cropping and RandomScale keep a pair rectified, and disparity what it is by focal
    length, baseline, depth and principal points.

    Attributes:
        transform: Of one view; the same window, place and scale for both.
    """

    transform: Transform

    def __call__(self, sample: StereoSample, rng: np.random.Generator | None) -> StereoSample:
        same = copy.deepcopy(rng)
        left, right = self.transform(sample.left, rng), self.transform(sample.right, same)
        return StereoSample.of(left, right, sample.baseline_m)


@dataclass(frozen=True)
class MirrorPair:
    """The pair as a mirror shows it, now and then: the right camera is then the left one.

    Attributes:
        probability: How often, 0…1.
    """

    probability: float = 0.5

    def __call__(self, sample: StereoSample, rng: np.random.Generator) -> StereoSample:
        if rng.random() >= self.probability:
            return sample
        flip = HorizontalFlip(1.0)
        left, right = flip(sample.right, rng), flip(sample.left, rng)
        return StereoSample.of(left, right, sample.baseline_m)
