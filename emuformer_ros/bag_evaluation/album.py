"""The maps of frames as pictures for a page."""

import base64
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from emu_model.labels import UNLABELLED
from emu_model.plots import (
    DEPTH,
    DEPTH_STD,
    ENTROPY,
    Limits,
    MapStyle,
    colour_limits,
    colourise,
    colourise_instances,
)
from emuformer_ros.bag_evaluation.gallery import FrameName, Look

MEASURED_DEPTH = dataclasses.replace(DEPTH, title='Measured depth')
DEPTH_ERROR = MapStyle('Depth error', 'm', 'inferno', from_zero=True)

_WIDTH = 480
"""Of the pictures, in pixels; smaller cameras keep their size."""

_JPEG_QUALITY = 86
_RIGHT, _WRONG, _UNKNOWN = (226, 232, 240), (224, 49, 49), (148, 158, 170)


@dataclass(frozen=True)
class Picture:
    """A map as a picture.

    Attributes:
        title: What it shows.
        uri: The picture as a data URI.
        measured: Whether it is of the recording, the same whatever the network says.
    """

    title: str
    uri: str
    measured: bool = False


@dataclass
class Album:
    """Pictures of frames, and the scales that they have in common.

    Attributes:
        pictures: By frame.
        before: Of an earlier evaluation, by frame; empty without one.
        scales: Style and limits of each map that has a colour scale.
    """

    pictures: dict[FrameName, list[Picture]] = field(default_factory=dict)
    before: dict[FrameName, list[Picture]] = field(default_factory=dict)
    scales: list[tuple[MapStyle, Limits]] = field(default_factory=list)

    def pairs(self, name: FrameName) -> list[tuple[Picture | None, Picture]]:
        """Predicted maps of a frame before and now; empty where none is known from before."""
        before = {picture.title: picture for picture in self.before.get(name, ())}
        if not before:
            return []
        predicted = [picture for picture in self.pictures[name] if not picture.measured]
        return [(before.get(picture.title), picture) for picture in predicted]


def make_album(
    looks: Mapping[FrameName, Look], before: Mapping[FrameName, Look] | None = None
) -> Album:
    """Draw the maps of frames; each map has one colour scale for all of them.

    Args:
        looks: The frames.
        before: What an earlier evaluation made of some of them.
    """
    before = before or {}
    everything = [*looks.values(), *before.values()]
    album = Album()
    limits: dict[str, Limits] = {}
    for name, style in (('entropy', ENTROPY), ('depth', DEPTH), ('depth_std', DEPTH_STD)):
        found = (getattr(look.prediction, name) for look in everything)
        maps = [values for values in found if values is not None]
        if name == 'depth':
            # Zero, no measurement, does not count on its logarithmic scale.
            maps += [look.truth.depth for look in everything if look.truth.depth is not None]
        if maps:
            limits[name] = colour_limits(maps, style)
            album.scales.append((style, limits[name]))
    for drawn, found in ((album.pictures, looks), (album.before, before)):
        for name, look in found.items():
            drawn[name] = list(_pictures(look, limits))
    return album


def data_uri(pixels: np.ndarray) -> str:
    """A picture (RGB uint8) as a JPEG in a data URI, at most 480 pixels wide."""
    height, width = pixels.shape[:2]
    if width > _WIDTH:
        size = (_WIDTH, max(round(height * _WIDTH / width), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode('.jpg', pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f'a picture of {width}x{height} pixels cannot be encoded as JPEG')
    return 'data:image/jpeg;base64,' + base64.b64encode(data).decode('ascii')


def _pictures(look: Look, limits: dict[str, Limits]) -> Iterator[Picture]:
    prediction, truth = look.prediction, look.truth
    yield Picture('Camera', data_uri(look.image), measured=True)
    if prediction.classes is not None:
        yield Picture('Classes', data_uri(look.overlay))
        yield _coloured(prediction.entropy, ENTROPY, limits['entropy'])
        if truth.classes is not None:
            yield Picture('Wrong classes', data_uri(_wrong(prediction.classes, truth.classes)))
    if prediction.instances is not None:
        yield Picture('Objects', data_uri(colourise_instances(prediction.instances)))
    if prediction.depth is None:
        return
    if truth.depth is not None:
        depth = np.where(truth.depth > 0, truth.depth, np.nan)
        yield _coloured(depth, MEASURED_DEPTH, limits['depth'], measured=True)
    yield _coloured(prediction.depth, DEPTH, limits['depth'])
    yield _coloured(prediction.depth_std, DEPTH_STD, limits['depth_std'])
    if truth.depth is not None:
        error = np.where(truth.depth > 0, np.abs(prediction.depth - truth.depth), np.nan)
        yield _coloured(error, DEPTH_ERROR, limits['depth_std'])


def _coloured(
    values: np.ndarray, style: MapStyle, limits: Limits, *, measured: bool = False
) -> Picture:
    return Picture(style.title, data_uri(colourise(values, style, limits)), measured)


def _wrong(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    picture = np.empty((*classes.shape, 3), np.uint8)
    picture[:] = _RIGHT
    picture[classes != labels] = _WRONG
    picture[labels == UNLABELLED] = _UNKNOWN
    return picture
