"""The node's parameters: one table that declares, checks and documents them."""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from emu_model.engines import ENGINES, PRECISIONS
from emu_model.framing import RESIZE_MODES
from emuformer_ros.camera.camera_names import NAME_PATTERN, problem_of_names
from emuformer_ros.health.uncertainty_alarm import HOLD_S


class Change(enum.Enum):
    """When a parameter may be changed; the value completes 'it can be changed …'."""

    ANY_TIME = 'at any time'
    INACTIVE = 'while the node is not active: deactivate it first'
    UNCONFIGURED = 'while the node is unconfigured: deactivate it and clean it up first'
    STARTUP = 'only where the node is started'


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter of the node.

    Attributes:
        name: Its ROS name.
        default: Its value where none is given; sets the type.
        description: What it does, as a sentence.
        change: When it may be changed.
        unit: Unit of the value; empty where it has none.
        limits: Lowest and highest value allowed, for numbers.
        choices: The values allowed, for text; any where empty.
        pattern: Regular expression of further values allowed, beside the choices.
        pattern_words: The pattern in words.
        check: Says what else is wrong with a value; empty where nothing is.
    """

    name: str
    default: bool | int | float | str | tuple[str, ...]
    description: str
    change: Change
    unit: str = ''
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ''
    pattern_words: str = ''
    check: Callable[[Any], str] | None = None

    @property
    def allowed(self) -> str:
        """The values allowed, in words; empty where any will do."""
        if self.limits:
            low, high = self.limits
            return f'{low} to {high} {self.unit}'.rstrip()
        words = [f"'{choice}'" for choice in self.choices]
        words += [self.pattern_words] if self.pattern_words else []
        return ' or '.join([', '.join(words[:-1]), words[-1]]) if words[1:] else ''.join(words)

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows; rclpy checks type and limits by it."""
        descriptor = ParameterDescriptor(
            description=self.description,
            additional_constraints=f'Allowed: {self.allowed}.' if self.allowed else '',
            read_only=self.change is Change.STARTUP,
        )
        if self.limits and isinstance(self.default, int):
            low, high = self.limits
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
        elif self.limits:
            low, high = map(float, self.limits)
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=low, to_value=high, step=0.0)
            ]
        return descriptor

    def problem(self, value: Any) -> str:
        """Why this value, or list of values, is not allowed; empty where it is.

        rclpy itself refuses a number that is out of range by more than rounding.
        """
        if value is None:  # an empty list, to which ROS gives no type
            return f'{self.name} has no value: give one, or leave it out for the default'
        for each in value if isinstance(value, list | tuple) else (value,):
            if not self._fits(each):
                return f'{self.name} cannot be {each!r}: choose {self.allowed}'
        return self.check(value) if self.check else ''

    def _fits(self, value: Any) -> bool:
        if self.limits:
            low, high = self.limits
            return low <= value <= high
        anything = not self.choices and not self.pattern
        matches = bool(self.pattern) and re.fullmatch(self.pattern, value) is not None
        return anything or value in self.choices or matches


_SPECS = (
    ParameterSpec(
        'checkpoint',
        '',
        'Path of the checkpoint (.safetensors) to run; empty for the one that comes with the '
        'package, which knows synthetic scenes only.',
        Change.UNCONFIGURED,
    ),
    ParameterSpec(
        'engine',
        'auto',
        "Runtime of the network; 'auto' picks by checkpoint, device and what is installed.",
        Change.UNCONFIGURED,
        choices=ENGINES,
    ),
    ParameterSpec(
        'device',
        'auto',
        "Where the network runs; 'auto' takes a GPU where there is one, 'cuda' fails to configure "
        'where there is none.',
        Change.UNCONFIGURED,
        choices=('auto', 'cpu', 'cuda'),
        pattern=r'cuda:\d+',
        pattern_words="'cuda:N' with N the number of a GPU",
    ),
    ParameterSpec(
        'precision',
        'auto',
        "What the network computes in; 'auto' is the fastest on the device that keeps the maps as "
        'good as fp32 does.',
        Change.UNCONFIGURED,
        choices=PRECISIONS,
    ),
    ParameterSpec(
        'network_height',
        0,
        "Height that images are resized to for the network; 0 for the checkpoint's. Give both "
        'network_height and network_width, or none.',
        Change.UNCONFIGURED,
        unit='pixels',
        limits=(0, 4096),
    ),
    ParameterSpec(
        'network_width',
        0,
        "Width that images are resized to for the network; 0 for the checkpoint's.",
        Change.UNCONFIGURED,
        unit='pixels',
        limits=(0, 4096),
    ),
    ParameterSpec(
        'resize_mode',
        'resize',
        "How an image gets the network's shape: 'resize' stretches it, 'letterbox' pads it, "
        "'crop' takes its middle, and the maps know nothing of the rest.",
        Change.ANY_TIME,
        choices=RESIZE_MODES,
    ),
    ParameterSpec(
        'rectify',
        False,
        "Undo the lens' distortion by the CameraInfo; the maps are then of the rectified image. "
        'Images without a usable CameraInfo are refused.',
        Change.ANY_TIME,
    ),
    ParameterSpec(
        'image_is_rectified',
        False,
        "The images are rectified already and the CameraInfo is the camera's, as beside "
        "image_proc's image_rect: depth and points go by its P. Not together with rectify.",
        Change.ANY_TIME,
    ),
    ParameterSpec(
        'cameras',
        ('',),
        'Names of the cameras, which share the network: each has its topics under its name. One '
        'empty name for a single camera without that.',
        Change.UNCONFIGURED,
        pattern=rf'|{NAME_PATTERN}',
        pattern_words='words of letters, digits and underscores that start with a letter',
        check=problem_of_names,
    ),
    ParameterSpec(
        'max_batch',
        4,
        "How many cameras' frames that wait together are computed at once at most, on an engine "
        'that gains by it: one on a GPU.',
        Change.INACTIVE,
        unit='frames',
        limits=(1, 64),
    ),
    ParameterSpec(
        'image_transport',
        'raw',
        "Subscribe to sensor_msgs/Image on the image topic ('raw'), or to "
        "sensor_msgs/CompressedImage on <image topic>/compressed ('compressed': JPEG or PNG).",
        Change.INACTIVE,
        choices=('raw', 'compressed'),
    ),
    ParameterSpec(
        'reliability',
        'auto',
        "Reliability of the image subscription; 'auto' is reliable unless a publisher offers best "
        'effort only.',
        Change.INACTIVE,
        choices=('auto', 'reliable', 'best_effort'),
    ),
    ParameterSpec(
        'output_size',
        'camera',
        "Size of the maps: the camera image's, or the network's, which is cheaper.",
        Change.ANY_TIME,
        choices=('camera', 'network'),
    ),
    ParameterSpec(
        'overlay_opacity',
        0.5,
        'Weight of the class colours over the camera image in ~/semantic/overlay; 0 shows the '
        'camera alone.',
        Change.ANY_TIME,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'max_depth_std_m',
        0.0,
        'Standard deviation of the depth up to which ~/depth/reliable and ~/points have it; 0 for '
        'no such limit. Of several limits the strictest applies.',
        Change.ANY_TIME,
        unit='m',
        limits=(0.0, 1000.0),
    ),
    ParameterSpec(
        'max_depth_std_ratio',
        0.3,
        'The same limit as a share of the depth; 0 for none.',
        Change.ANY_TIME,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'max_depth_std_quantile',
        0.0,
        'The same limit as a quantile of the standard deviations that are normal for the '
        'checkpoint; 0 for none.',
        Change.ANY_TIME,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'max_entropy_nats',
        0.0,
        'Entropy of the class up to which ~/depth/reliable and ~/points have the depth; 0 for no '
        'such limit.',
        Change.ANY_TIME,
        unit='nats',
        limits=(0.0, 10.0),
    ),
    ParameterSpec(
        'max_entropy_quantile',
        0.0,
        'The same limit as a quantile of the entropies that are normal for the checkpoint; 0 for '
        'none.',
        Change.ANY_TIME,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        'max_age_s',
        0.0,
        'Images that arrive later than this after their stamp are dropped and counted; 0 for no '
        'limit.',
        Change.ANY_TIME,
        unit='s',
        limits=(0.0, 3600.0),
    ),
    ParameterSpec(
        'uncertainty_alarm',
        True,
        'Warn on /diagnostics when the mean uncertainty of the images stays above what is normal '
        'for the checkpoint. The uncertainty of every task with a subscribed map is computed for '
        'it.',
        Change.ANY_TIME,
    ),
    ParameterSpec(
        'entropy_alarm_nats',
        0.0,
        'Mean entropy of an image above which it is uncertain; 0 for the level of the checkpoint, '
        'which one normal image in a hundred exceeds.',
        Change.ANY_TIME,
        unit='nats',
        limits=(0.0, 10.0),
    ),
    ParameterSpec(
        'depth_std_alarm_m',
        0.0,
        'Mean standard deviation of the depth of an image above which it is uncertain, before '
        "depth is rescaled to the camera's focal length; 0 for the checkpoint's level.",
        Change.ANY_TIME,
        unit='m',
        limits=(0.0, 1000.0),
    ),
    ParameterSpec(
        'alarm_hold_s',
        HOLD_S,
        'How long images have to be uncertain until there is an alarm, and normal until it is '
        'over.',
        Change.ANY_TIME,
        unit='s',
        limits=(0.0, 60.0),
    ),
    ParameterSpec(
        'max_engine_failures',
        10,
        'How many images in a row the engine may fail on until the node goes to error processing '
        'and is unconfigured; 0 for any number.',
        Change.ANY_TIME,
        unit='images',
        limits=(0, 10_000),
    ),
    ParameterSpec(
        'diagnostics_period_s',
        1.0,
        'Time between two messages on /diagnostics.',
        Change.STARTUP,
        unit='s',
        limits=(0.1, 60.0),
    ),
    ParameterSpec(
        'autostart',
        False,
        'Configure and activate at start; for use without a launch system or lifecycle manager.',
        Change.STARTUP,
    ),
)

PARAMETERS = {spec.name: spec for spec in _SPECS}
"""Every parameter of the node, by name."""


def conflict(values: Mapping[str, Any]) -> str:
    """Why values of parameters, by name, do not go together; empty where they do."""
    if values.get('rectify') and values.get('image_is_rectified'):
        return (
            'rectify and image_is_rectified would both be true, and rectified images cannot be '
            'rectified again: set the other to false first'
        )
    return ''
