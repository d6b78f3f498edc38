"""Names of cameras: what they may be, and the topics that are under them."""

from collections.abc import Sequence

from emuformer_ros.maps.outputs import MAP_TOPICS

NAME_PATTERN = r'[A-Za-z][A-Za-z0-9_]*'
"""A part of a ROS topic's name, as a regular expression."""

RESERVED = frozenset(topic.name.split('/')[1] for topic in MAP_TOPICS)
"""What the topics of a camera without a name are under, or are."""


def problem_of_names(names: Sequence[str]) -> str:
    """Why a node cannot have cameras of these names; empty where it can."""
    if len(set(names)) < len(names):
        return f'two of the cameras {", ".join(names)} share a name: give each its own'
    if not names or ('' in names and len(names) > 1):
        return (
            f'cameras is {list(names)}: give a name for every camera, or one empty name for a '
            'single camera'
        )
    if clash := sorted(RESERVED & set(names)):
        return f"a camera cannot be called '{clash[0]}', as the node's topics are: rename it"
    return ''


def map_topic_name(name: str, camera: str) -> str:
    """What '~/depth/image' is called for one of several cameras: '~/front/depth/image'."""
    return f'~/{camera}/{name[2:]}' if camera else name


def image_name(camera: str) -> str:
    """The name of a camera's image topic before it is remapped."""
    return f'{camera}/image' if camera else 'image'


def camera_info_name(camera: str) -> str:
    """The name of a camera's CameraInfo topic before it is remapped."""
    return f'{camera}/camera_info' if camera else 'camera_info'
