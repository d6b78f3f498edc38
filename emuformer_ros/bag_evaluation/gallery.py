"""Frames to look at: which they are, and their maps as pictures."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.labels import UNLABELLED
from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.plots import DEPTH, DEPTH_STD, ENTROPY, Limits, MapStyle, colour_limits, colourise
from emuformer_ros.bag_evaluation.alarms import network_means
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.bag_evaluation.frames import read_frames
from emuformer_ros.bag_evaluation.ground_truth import labelled_classes, measured_depth
from emuformer_ros.bag_evaluation.perception import PerceivedFrame, Perception
from emuformer_ros.bag_evaluation.plan import BagPlan
from emuformer_ros.bags import Bag
from emuformer_ros.outputs import FrameMaps

DEPTH_ERROR = MapStyle('Depth error', 'm', 'inferno', from_zero=True)

_WIDTH = 480
"""Of the pictures, in pixels; smaller cameras keep their size."""

_JPEG_QUALITY = 86
_LEVEL = '0.95'
_APART = 25
"""Picked frames are at least this fraction of all frames apart, while there are enough."""

_RIGHT, _WRONG, _UNKNOWN = (226, 232, 240), (224, 49, 49), (148, 158, 170)

FrameName = tuple[str, int]
"""A frame: name of the recording and number in it."""


@dataclass(frozen=True)
class Look:
    """A frame that was looked at again.

    Attributes:
        perceived: The frame and what the network says about it.
        maps: What the node would publish of it.
        classes: Its labels, if any.
        depth: Its measured depth, if any.
    """

    perceived: PerceivedFrame
    maps: FrameMaps
    classes: np.ndarray | None
    depth: np.ndarray | None


@dataclass(frozen=True)
class Picture:
    """A map as a picture: its title, and the picture as a data URI."""

    title: str
    uri: str


@dataclass
class Album:
    """Pictures of frames, and the scales that they have in common.

    Attributes:
        pictures: By frame.
        scales: Style and limits of each map that has a colour scale.
    """

    pictures: dict[FrameName, list[Picture]] = field(default_factory=dict)
    scales: list[tuple[MapStyle, Limits]] = field(default_factory=list)


def doubt(rows: Sequence[Row], info: CheckpointInfo) -> np.ndarray:
    """How uncertain each frame is: the largest of its mean uncertainties, each over a level.

    The level is the 0.95 quantile of the frame means that are normal for the checkpoint; of those
    of these frames where it does not say.
    """
    relative = []
    for name in UNCERTAINTIES:
        means = np.array([network_means(row).get(name, np.nan) for row in rows])
        if not np.isfinite(means).any():
            continue
        normal = info.normal_uncertainty.get(name, {}).get('frame_mean', {})
        level = normal.get(_LEVEL, float(np.nanquantile(means, float(_LEVEL))))
        relative.append(means / max(level, 1e-12))
    return np.nan_to_num(np.max(relative, axis=0)) if relative else np.zeros(len(rows))


def pick_extremes(values: np.ndarray, count: int, *, highest: bool) -> list[int]:
    """Indices of the highest or lowest values, best first, not all from one moment."""
    order = np.argsort(-values if highest else values, kind='stable')
    apart = len(values) // _APART
    picked: list[int] = []
    for spacing in (apart, 0):
        for index in order.tolist():
            if len(picked) == count:
                break
            if index not in picked and all(abs(index - other) > spacing for other in picked):
                picked.append(index)
    return picked


def look_again(
    perception: Perception,
    bags: Sequence[BagPlan],
    names: Iterable[FrameName],
    max_depth_m: float | None = None,
) -> dict[FrameName, Look]:
    """Read some frames once more and run the network on them.

    Args:
        perception: The engine.
        bags: The recordings.
        names: The frames; those that are in none of the recordings are left out.
        max_depth_m: As in Options.
    """
    wanted = set(names)
    looks = {}
    for plan in bags:
        entries = [frame for frame in plan.frames if (plan.name, frame.number) in wanted]
        with Bag(plan.readable) as bag:
            for entry in entries:
                for frame in read_frames(bag, plan.topics, [entry]):
                    if frame.image is None:
                        continue
                    (perceived,) = perception.perceive([frame], plan.camera_infos)
                    looks[plan.name, entry.number] = _look(perception, perceived, max_depth_m)
    return looks


def make_album(looks: dict[FrameName, Look]) -> Album:
    """Draw the maps of frames; each map has one colour scale for all of them."""
    predictions = [look.maps.prediction for look in looks.values()]
    album = Album()
    limits: dict[str, Limits] = {}
    for name, style in (('entropy', ENTROPY), ('depth', DEPTH), ('depth_std', DEPTH_STD)):
        maps = [value for each in predictions if (value := getattr(each, name)) is not None]
        if name == 'depth':
            # Zero, no measurement, does not count on its logarithmic scale.
            maps += [look.depth for look in looks.values() if look.depth is not None]
        if maps:
            limits[name] = colour_limits(maps, style)
            album.scales.append((style, limits[name]))
    for name, look in looks.items():
        album.pictures[name] = list(_pictures(look, limits))
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


def _look(perception: Perception, perceived: PerceivedFrame, max_depth_m: float | None) -> Look:
    frame, size = perceived.frame, perceived.size
    classes = labelled_classes(frame.labels, size) if frame.labels else None
    depth = measured_depth(frame.depth, size, max_depth_m or np.inf) if frame.depth else None
    return Look(perceived, perception.maps(perceived), classes, depth)


def _pictures(look: Look, limits: dict[str, Limits]):
    prediction = look.maps.prediction
    yield Picture('Camera', data_uri(look.maps.image))
    if prediction.classes is not None:
        yield Picture('Classes', data_uri(_overlay(look.maps)))
        yield Picture(
            ENTROPY.title, data_uri(colourise(prediction.entropy, ENTROPY, limits['entropy']))
        )
        if look.classes is not None:
            yield Picture('Wrong classes', data_uri(_wrong(prediction.classes, look.classes)))
    if prediction.depth is not None:
        if look.depth is not None:
            measured = np.where(look.depth > 0, look.depth, np.nan)
            shown = colourise(measured, DEPTH, limits['depth'])
            yield Picture('Measured depth', data_uri(shown))
        yield Picture(DEPTH.title, data_uri(colourise(prediction.depth, DEPTH, limits['depth'])))
        std = colourise(prediction.depth_std, DEPTH_STD, limits['depth_std'])
        yield Picture(DEPTH_STD.title, data_uri(std))
        if look.depth is not None:
            error = np.where(look.depth > 0, np.abs(prediction.depth - look.depth), np.nan)
            shown = colourise(error, DEPTH_ERROR, limits['depth_std'])
            yield Picture(DEPTH_ERROR.title, data_uri(shown))


def _overlay(maps: FrameMaps) -> np.ndarray:
    from emuformer_ros.outputs import MAP_TOPICS

    topic = next(topic for topic in MAP_TOPICS if topic.name == '~/semantic/overlay')
    return topic.content(maps)


def _wrong(classes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    picture = np.empty((*classes.shape, 3), np.uint8)
    picture[:] = _RIGHT
    picture[classes != labels] = _WRONG
    picture[labels == UNLABELLED] = _UNKNOWN
    return picture
