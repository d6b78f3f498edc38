"""Transforms of a whole sample: image, labels, depth, ids, padding and intrinsics together.

Scale, crop and flip are those of EMUFormer (arXiv 2402.10580), section 4; the colour jitter is its
teacher's input.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
import torchvision.transforms.v2.functional as TF
from torch import Tensor

from emu_model.framing import PADDING_COLOUR
from emu_model.geometry import Intrinsics
from emu_model.labels import UNLABELLED
from train.data.sample import Sample


class Transform(Protocol):
    """Makes a new sample of a sample; None as generator suits those without randomness."""

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample: ...


@dataclass(frozen=True)
class Resize:
    """The same view through a camera of another resolution: depth stays, focal lengths follow.

    Attributes:
        height: In pixels.
        width: In pixels.
    """

    height: int
    width: int

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        return _resized(sample, (self.height, self.width))


@dataclass(frozen=True)
class RandomScale:
    """The image enlarged or shrunk as if the camera, unchanged, had been nearer or farther.

    Magnified by s, a surface at depth z looks like one at z/s to the same camera. So depth is
    divided by s and the focal lengths stay; only the principal point moves with its pixel.

    Attributes:
        smallest: Least scale.
        largest: Greatest scale; scales in between are equally likely.
    """

    smallest: float = 0.5
    largest: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.largest:
            raise ValueError(
                f'scales {self.smallest} to {self.largest} are no range: give '
                '0 < smallest <= largest'
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        scale = rng.uniform(self.smallest, self.largest)
        height, width = (max(1, round(length * scale)) for length in sample.size)
        resized = _resized(sample, (height, width))
        camera = resized.intrinsics
        # Whole pixels round the scale per axis; the rest of it stays in the focal lengths, so
        # that projection is exact.
        camera = dataclasses.replace(camera, fx=camera.fx / scale, fy=camera.fy / scale)
        return dataclasses.replace(
            resized, depth=resized.depth / np.float32(scale), intrinsics=camera
        )


@dataclass(frozen=True)
class RandomCrop:
    """A window at a random place; where the image is smaller, it lies at a random place of it.

    Attributes:
        height: Of the window, in pixels.
        width: Of the window, in pixels.
    """

    height: int
    width: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        top, left = (
            int(rng.integers(min(0, spare), max(0, spare) + 1))
            for spare in (sample.size[0] - self.height, sample.size[1] - self.width)
        )
        camera = sample.intrinsics
        return dataclasses.replace(
            sample,
            image=self._window(sample.image, top, left, PADDING_COLOUR),
            classes=self._window(sample.classes, top, left, UNLABELLED),
            depth=self._window(sample.depth, top, left, 0),
            not_padding=self._window(sample.not_padding, top, left, False),
            instances=_apply(sample.instances, lambda ids: self._window(ids, top, left, 0)),
            confidence=_apply(sample.confidence, lambda c: self._window(c, top, left, 0)),
            intrinsics=dataclasses.replace(camera, cx=camera.cx - left, cy=camera.cy - top),
        )

    def _window(self, values: np.ndarray, top: int, left: int, padding: object) -> np.ndarray:
        window = np.empty((self.height, self.width, *values.shape[2:]), values.dtype)
        window[...] = padding
        source = values[max(0, top) : top + self.height, max(0, left) : left + self.width]
        row, column = max(0, -top), max(0, -left)
        window[row : row + source.shape[0], column : column + source.shape[1]] = source
        return window


@dataclass(frozen=True)
class HorizontalFlip:
    """The mirrored view, now and then.

    Attributes:
        probability: How often, 0…1.
    """

    probability: float = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if rng.random() >= self.probability:
            return sample
        camera = sample.intrinsics
        return dataclasses.replace(
            sample,
            image=sample.image[:, ::-1],
            classes=sample.classes[:, ::-1],
            depth=sample.depth[:, ::-1],
            not_padding=sample.not_padding[:, ::-1],
            instances=_apply(sample.instances, lambda ids: ids[:, ::-1]),
            confidence=_apply(sample.confidence, lambda c: c[:, ::-1]),
            intrinsics=dataclasses.replace(camera, cx=sample.size[1] - 1 - camera.cx),
        )


@dataclass(frozen=True)
class JitterStrengths:
    """How far colour_jitter may go; the paper gives no figures, these are common ones.

    Attributes:
        brightness: Factors of [1 − b, 1 + b], never negative.
        contrast: Likewise.
        saturation: Likewise.
        hue: Turns of the hue circle, of [−h, h], h at most 0.5.
    """

    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.2

    def __post_init__(self) -> None:
        if min(self.brightness, self.contrast, self.saturation, self.hue) < 0 or self.hue > 0.5:
            raise ValueError(f'{self}: strengths are at least 0, and hue at most 0.5')


_ADJUSTMENTS = (
    TF.adjust_brightness,
    TF.adjust_contrast,
    TF.adjust_saturation,
    TF.adjust_hue,
)


def colour_jitter(
    images: Tensor,
    strengths: JitterStrengths = JitterStrengths(),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Jitter the colours of each image of a batch by factors, and in an order, of its own.

    Args:
        images: RGB in 0…1, float (B, 3, H, W), on any device.
        strengths: How far the factors may go.
        generator: A CPU generator; PyTorch's default one if None. Draws happen on the CPU, so the
            same seed gives the same factors on every device.

    Returns:
        RGB in 0…1, of the same shape.
    """
    spread = torch.tensor(dataclasses.astuple(strengths))
    middle = torch.tensor([1.0, 1.0, 1.0, 0.0])
    uniform = 2 * torch.rand(len(images), len(_ADJUSTMENTS), generator=generator) - 1
    factors = middle + spread * uniform
    factors[:, :3].clamp_(min=0)
    orders = torch.rand(len(images), len(_ADJUSTMENTS), generator=generator).argsort(dim=1)
    jittered = torch.empty_like(images)
    for place, (image, factor, order) in enumerate(zip(images, factors.tolist(), orders.tolist())):
        for which in order:
            image = _ADJUSTMENTS[which](image, factor[which])
        jittered[place] = image
    return jittered


def _resized(sample: Sample, size: tuple[int, int]) -> Sample:
    height, width = size
    if sample.size == size:
        return sample
    # Averaging where it shrinks, as the engines do with camera frames.
    shrinks = height <= sample.size[0] and width <= sample.size[1]
    smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR

    def nearest(values: np.ndarray) -> np.ndarray:
        # INTER_NEAREST is half a pixel off the smooth modes; its exact form is not.
        return cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)

    intrinsics: Intrinsics = sample.intrinsics.resized(sample.size, size)
    return dataclasses.replace(
        sample,
        image=cv2.resize(sample.image, (width, height), interpolation=smooth),
        classes=nearest(sample.classes),
        depth=nearest(sample.depth),
        not_padding=nearest(sample.not_padding.astype(np.uint8)).astype(bool),
        instances=_apply(sample.instances, nearest),
        confidence=_apply(sample.confidence, nearest),
        intrinsics=intrinsics,
    )


def _apply(
    values: np.ndarray | None, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | None:
    """A map after a change, where there is one."""
    return None if values is None else change(values)
