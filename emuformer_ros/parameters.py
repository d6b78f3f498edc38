"""The node's parameters: one table that declares, checks and documents them."""

import enum
import re
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from emu_model.engines import ENGINES, PRECISIONS


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
    """

    name: str
    default: bool | int | float | str
    description: str
    change: Change
    unit: str = ''
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ''
    pattern_words: str = ''

    @property
    def allowed(self) -> str:
        """The values allowed, in words; empty where any will do."""
        if self.limits:
            low, high = self.limits
            return f'{low} to {high} {self.unit}'.rstrip()
        words = [f"'{choice}'" for choice in self.choices]
        words += [self.pattern_words] if self.pattern_words else []
        return ' or '.join([', '.join(words[:-1]), words[-1]]) if len(words) > 1 else ''

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
        """Why this text is not allowed; empty where it is, and for other types."""
        fits = not self.choices or value in self.choices
        if fits or (self.pattern and re.fullmatch(self.pattern, value)):
            return ''
        return f"{self.name} cannot be '{value}': choose {self.allowed}"


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
