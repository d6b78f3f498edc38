"""Which topics of a recording have the camera and its ground truth."""

from dataclasses import dataclass

from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.compressed_depth import SUFFIX
from emuformer_ros.bag_evaluation.options import NO_TOPIC, Options
from emuformer_ros.bag_evaluation.truth_images import DEPTH_ENCODINGS, LABEL_ENCODINGS
from emuformer_ros.bags.cameras import COMPRESSED_IMAGE, IMAGE, find_image_topic, image_encoding
from emuformer_ros.bags.maps import recorded_name
from emuformer_ros.bags.reading import Bag
from emuformer_ros.image_topics import COMPRESSED_SUFFIX, base_topic
from emuformer_ros.maps.outputs import MAP_TOPICS

_DEPTH_WORDS = ('depth', 'range')
_LABEL_WORDS = ('label', 'semantic', 'segment', 'class')
_NOT_GROUND_TRUTH = ('uncertainty', 'confidence', 'overlay', 'reliable')
"""Words in the names of maps that a network made."""

_MAPS = frozenset(recorded_name(topic.name) for topic in MAP_TOPICS)
"""The node's topics without remapping."""


@dataclass(frozen=True)
class Topics:
    """The topics that are evaluated; None for ground truth that there is none of."""

    image: str
    depth: str | None = None
    labels: str | None = None


def find_topics(bag: Bag, options: Options) -> tuple[Topics, list[str]]:
    """The topics of a recording, and what a user should know about the choice.

    Raises:
        BagError: If a topic that was asked for is missing or of another type, or there is not
            exactly one camera.
    """
    image = find_image_topic(bag, options.image_topic)
    notes: list[str] = []
    depth = _ground_truth(
        bag, options.depth_topic, image, 'depth', _DEPTH_WORDS, DEPTH_ENCODINGS, notes
    )
    labels = _ground_truth(
        bag, options.label_topic, image, 'label', _LABEL_WORDS, LABEL_ENCODINGS, notes
    )
    return Topics(image, depth, labels), notes


def _ground_truth(
    bag: Bag,
    asked: str | None,
    image: str,
    kind: str,
    words: tuple[str, ...],
    encodings: tuple[str, ...],
    notes: list[str],
) -> str | None:
    if asked == NO_TOPIC:
        return None
    if asked:
        asked = _recorded_form(bag, asked)
        topic = bag.require(asked)
        if topic.msgtype not in (IMAGE, COMPRESSED_IMAGE):
            raise EvaluationError(
                f"'{asked}' in '{bag.path}' is {topic.msgtype}, not {IMAGE}: choose another "
                f'--{kind}-topic of {bag.listing()}'
            )
        return asked
    found = [
        name
        for name in bag.topics
        if base_topic(name) != base_topic(image) and _is_candidate(bag, name, words, encodings)
    ]
    found = [name for name in found if name == _recorded_form(bag, _raw_topic(name))]
    for name in [name for name in found if _is_map(bag, name)]:
        found.remove(name)
        notes.append(
            f"'{name}' looks like a map that a network made and is not compared with: name it "
            f'with --{kind}-topic if it is {kind} ground truth'
        )
    if len(found) > 1:
        notes.append(
            f'{bag.path.name} has {len(found)} topics that may be {kind} ground truth '
            f'({", ".join(found)}): none is used, choose one with --{kind}-topic'
        )
    return found[0] if len(found) == 1 else None


def _is_candidate(bag: Bag, name: str, words: tuple[str, ...], encodings: tuple[str, ...]) -> bool:
    topic, lower = bag.topics[name], name.lower()
    if not topic.count or not any(word in lower for word in words):
        return False
    if any(word in lower for word in _NOT_GROUND_TRUTH):
        return False
    if topic.msgtype == COMPRESSED_IMAGE:
        return encodings == DEPTH_ENCODINGS and name.endswith(SUFFIX)
    return topic.msgtype == IMAGE and image_encoding(bag, name) in encodings


def _is_map(bag: Bag, name: str) -> bool:
    """Whether a topic is one of the node's, or has an uncertainty beside it as those have."""
    topic = _raw_topic(name)
    beside = f'{topic.rpartition("/")[0]}/uncertainty'
    return topic in _MAPS or beside in bag.topics


def _recorded_form(bag: Bag, topic: str) -> str:
    """The topic itself, or where it was not recorded that of its compressed form."""
    forms = (topic, topic + SUFFIX, topic + COMPRESSED_SUFFIX)
    return next((form for form in forms if form in bag.topics), topic)


def _raw_topic(topic: str) -> str:
    return base_topic(topic.removesuffix(SUFFIX))
