"""A first look at a recording: which frames there are, and what belongs to each of them.

Only stamps are kept, some 50 bytes a frame; images are read again, a part at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.topics import Topics
from emuformer_ros.bags.cameras import CAMERA_INFO, find_camera_info_topic
from emuformer_ros.bags.reading import (
    Bag,
    BagError,
    BagMessage,
    header_stamp_ns,
    with_header_stamp,
)
from emuformer_ros.image_topics import camera_info_sibling

MessageKey = tuple[int, int]
"""A message of a topic: when it was recorded, and how many of that time were before it."""


@dataclass(frozen=True)
class FrameEntry:
    """A frame to evaluate.

    Attributes:
        number: Of the image among all images of its topic, from 0.
        stamp_ns: The image's header stamp; without a header, that of the frame before.
        time_s: Seconds from the first image of the recording, by the stamps.
        image: The image message.
        depth: The message with its measured depth; None where there is none.
        labels: The message with its labels; None where there is none.
        camera_info: Index of its CameraInfo in BagIndex.camera_infos; None where there is none.
    """

    number: int
    stamp_ns: int
    time_s: float
    image: MessageKey
    depth: MessageKey | None = None
    labels: MessageKey | None = None
    camera_info: int | None = None


@dataclass
class BagIndex:
    """The frames of a recording that are to be evaluated.

    Attributes:
        frames: In the order they were recorded.
        camera_infos: Each CameraInfo message that differs from the others in more than its stamp,
            in CDR.
        recorded: Images that were recorded on the topic.
        notes: What a user should know, as sentences.
        damage: Why the recording could not be read to its end; empty where it could.
    """

    frames: list[FrameEntry]
    camera_infos: list[bytes]
    recorded: int
    notes: list[str] = field(default_factory=list)
    damage: str = ''


def wanted_topics(bag: Bag, topics: Topics) -> list[str]:
    """The topics that an evaluation reads: the camera, its CameraInfo, and ground truth."""
    info_topic = find_camera_info_topic(bag, topics.image)
    return [each for each in (topics.image, topics.depth, topics.labels, info_topic) if each]


def index_bag(
    bag: Bag, topics: Topics, options: Options, on_message: Callable[[], None] = lambda: None
) -> BagIndex:
    """Look through a recording once.

    Args:
        bag: The recording.
        topics: What to look for in it.
        options: Which frames are wanted, and how ground truth is matched.
        on_message: Called for each message, to show progress.

    Raises:
        BagError: If a topic is missing or nothing at all can be read.
    """
    seen = {topic: _Stamps() for topic in (topics.image, topics.depth, topics.labels) if topic}
    infos = _CameraInfos()
    damage = ''
    try:
        for message in bag.messages(wanted_topics(bag, topics)):
            on_message()
            if message.topic in seen:
                seen[message.topic].add(message)
            else:
                infos.add(message)
    except BagError as error:
        if not seen[topics.image].times:
            raise
        read, recorded = len(seen[topics.image].times), bag.topics[topics.image].count
        damage = f"{read} of {recorded} images on '{topics.image}' can be read: {error}"
    return _Matcher(topics, options, seen, infos, damage).index()


class _Stamps:
    """Recording times and header stamps of a topic's messages, None for those without a header."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.stamps: list[int | None] = []

    def add(self, message: BagMessage) -> None:
        self.times.append(message.time_ns)
        try:
            self.stamps.append(header_stamp_ns(message.data))
        except BagError:
            self.stamps.append(None)

    def known(self) -> dict[int, int]:
        """Stamps of the messages that have a header, by their place among all."""
        return {place: stamp for place, stamp in enumerate(self.stamps) if stamp is not None}

    def keys(self) -> Iterator[MessageKey]:
        repeats: Counter[int] = Counter()
        last = None
        for time_ns in self.times:
            if time_ns != last:
                repeats.clear()
            yield time_ns, repeats[time_ns]
            repeats[time_ns] += 1
            last = time_ns


class _CameraInfos:
    """The distinct CameraInfo messages, and which was valid when."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.times: list[int] = []
        self.stamps: list[int] = []
        self.which: list[int] = []
        self.without_header = 0
        self._known: dict[bytes, int] = {}

    def add(self, message: BagMessage) -> None:
        try:
            content = with_header_stamp(message.data, 0)
        except BagError:
            self.without_header += 1
            return
        if content not in self._known:
            self._known[content] = len(self.messages)
            self.messages.append(content)
        self.times.append(message.time_ns)
        self.stamps.append(header_stamp_ns(message.data))
        self.which.append(self._known[content])

    def of_images(self, images: _Stamps) -> list[int | None]:
        """For each image the one with its stamp, else the latest before it, else the first."""
        if not self.messages:
            return [None] * len(images.times)
        by_stamp = dict(zip(self.stamps, self.which))
        latest = np.searchsorted(np.maximum.accumulate(self.times), images.times, 'right') - 1
        return [
            by_stamp.get(stamp, self.which[max(position, 0)])
            for stamp, position in zip(images.stamps, latest)
        ]


class _Matcher:
    """Makes frames of what was seen, and says what was odd."""

    def __init__(
        self,
        topics: Topics,
        options: Options,
        seen: dict[str, _Stamps],
        infos: _CameraInfos,
        damage: str,
    ) -> None:
        self._topics = topics
        self._options = options
        self._seen = seen
        self._images = seen[topics.image]
        self._infos = infos
        self._damage = damage
        self._notes: list[str] = []

    def index(self) -> BagIndex:
        stamps = self._images.known()
        if len(stamps) > 1 and len(set(stamps.values())) == 1:
            self._use_recording_times()
        self._note_without_header()
        chosen = self._chosen()
        depth = self._matched(self._topics.depth, 'depth', chosen)
        labels = self._matched(self._topics.labels, 'labels', chosen)
        frames = list(self._frames(chosen, depth, labels))
        if not self._infos.messages:
            self._notes.append(
                f"no {CAMERA_INFO} on '{camera_info_sibling(self._topics.image)}': the depth is "
                "for the checkpoint's own focal length"
            )
        return BagIndex(
            frames, self._infos.messages, len(self._images.times), self._notes, self._damage
        )

    def _frames(
        self, chosen: list[int], depth: dict[int, MessageKey], labels: dict[int, MessageKey]
    ) -> Iterator[FrameEntry]:
        camera_infos = self._infos.of_images(self._images)
        keys = list(self._images.keys())
        stamps = self._images.known()
        first = latest = next(iter(stamps.values()), 0)
        for number in chosen:
            latest = stamps.get(number, latest)
            yield FrameEntry(
                number,
                latest,
                (latest - first) / 1e9,
                keys[number],
                depth.get(number),
                labels.get(number),
                camera_infos[number],
            )

    def _use_recording_times(self) -> None:
        stamp_ns = next(iter(self._images.known().values()))
        self._notes.append(
            f"all images on '{self._topics.image}' have the stamp {stamp_ns}: the times of "
            'recording are used instead'
        )
        for stamps in (*self._seen.values(), self._infos):
            stamps.stamps = list(stamps.times)

    def _chosen(self) -> list[int]:
        """Numbers of the frames in the time range, every N-th, each stamp once."""
        times, stamps = self._images.times, self._images.stamps
        begin = times[0] if times else 0
        start = begin + round(1e9 * (self._options.start_s or 0))
        end = np.inf if self._options.end_s is None else begin + 1e9 * self._options.end_s
        in_range = [n for n, time_ns in enumerate(times) if start <= time_ns <= end]
        chosen, known = [], set()
        repeated = backwards = 0
        latest = -np.inf
        for number in in_range:
            if stamps[number] in known:
                repeated += 1
                continue
            chosen.append(number)
            if stamps[number] is None:
                continue  # refused, and counted, when it is decoded
            known.add(stamps[number])
            backwards += stamps[number] < latest
            latest = stamps[number]
        if repeated:
            self._notes.append(
                f'{repeated} images repeat the stamp of an earlier one: the first of each is '
                'evaluated'
            )
        if backwards:
            self._notes.append(
                f'stamps jump back {backwards} times: frames are evaluated in the order they were '
                'recorded'
            )
        return chosen[:: self._options.every]

    def _matched(self, topic: str | None, kind: str, chosen: list[int]) -> dict[int, MessageKey]:
        """For each frame its ground truth: the nearest, where it is the nearest of that too."""
        if topic is None:
            return {}
        truth, images = self._seen[topic], self._images.known()
        chosen = [number for number in chosen if number in images]
        stamps = np.array([images[number] for number in chosen], np.int64)
        known = truth.known()
        order = sorted(known, key=known.__getitem__)
        ranked = np.array([known[place] for place in order], np.int64)
        matches = {}
        nearest_gap_s = np.inf
        if len(ranked) and len(stamps):
            nearest = _nearest(ranked, stamps)
            gaps = np.abs(ranked[nearest] - stamps)
            nearest_gap_s = gaps.min() / 1e9
            # Of the frames that share a measurement, the closest keeps it.
            best: dict[int, tuple[int, int]] = {}
            for number, position, gap in zip(chosen, nearest.tolist(), gaps.tolist()):
                if (
                    gap <= 1e9 * self._options.tolerance_s
                    and gap < best.get(position, (gap + 1,))[0]
                ):
                    best[position] = (gap, number)
            keys = list(truth.keys())
            matches = {number: keys[order[position]] for position, (_, number) in best.items()}
        self._note_missing(topic, kind, len(matches), len(chosen), nearest_gap_s)
        return matches

    def _note_without_header(self) -> None:
        counts = {
            topic: len(seen.stamps) - len(seen.known())
            for topic, seen in self._seen.items()
            if topic != self._topics.image
        }
        counts[camera_info_sibling(self._topics.image)] = self._infos.without_header
        self._notes += [
            f"{count} messages on '{topic}' are too short for a header: they are left out"
            for topic, count in counts.items()
            if count
        ]

    def _note_missing(
        self, topic: str, kind: str, matched: int, frames: int, nearest_gap_s: float
    ) -> None:
        if not matched:
            reason = (
                f'the closest is {nearest_gap_s:.3f} s from its image'
                if np.isfinite(nearest_gap_s)
                else 'it has no messages'
            )
            self._notes.append(
                f"no message on '{topic}' matches an image within {self._options.tolerance_s} s "
                f'({reason}): there are no figures for {kind}; see --tolerance'
            )
        elif matched < frames:
            self._notes.append(
                f"{frames - matched} of {frames} frames have no message on '{topic}' within "
                f'{self._options.tolerance_s} s: they have no figures for {kind}'
            )


def _nearest(ranked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index of the nearest of ascending numbers for each value."""
    right = np.searchsorted(ranked, values).clip(1, max(len(ranked) - 1, 1)) % max(len(ranked), 1)
    left = (right - 1).clip(0)
    return np.where(np.abs(values - ranked[left]) <= np.abs(ranked[right] - values), left, right)
