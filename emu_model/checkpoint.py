"""Checkpoints: one safetensors file that explains itself through its metadata."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from emu_model.labels import LabelSet
from emu_model.tasks import NETWORKS

if TYPE_CHECKING:
    from emu_model.networks import Network

BUNDLED = Path(__file__).parent / 'checkpoints' / 'synthetic_b0.safetensors'
"""The checkpoint that comes with the package; it knows synthetic scenes only."""

_METADATA_KEY = 'emuformer'
_FORMAT_VERSION = 1
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file, the reason and a way out."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself; everything an engine and the node need beside weights.

    Attributes:
        network: One of emu_model.tasks.NETWORKS.
        backbone: timm name of the encoder.
        head_width: Channels of the all-MLP heads.
        backbone_options: Keyword arguments of the encoder, the LayerNorm eps among them.
        label_set: Name of the label set; empty without a semantic head.
        class_names: Class names in id order.
        palette: (red, green, blue) 0…255 per class.
        mean: RGB mean that images, scaled to 0…1, are normalised with.
        std: RGB standard deviation, likewise.
        input_size: (height, width) the network was trained at; None where any size will do.
        focal_length_px: Focal length at `input_size` that depth is calibrated for, in pixels.
        depth_range_m: (nearest, farthest) depth of the training data in metres.
        training_data: What it was trained on, in a sentence a user can read.
        training: Configuration of the training run.
        validation: Figures on validation data.
        normal_uncertainty: What is normal for this model on validation data:
            {output: {'frame_mean' | 'pixel': {quantile: value}}}, quantiles as strings.
        licence: Terms the weights come with.
    """

    network: str
    backbone: str
    head_width: int
    backbone_options: dict[str, Any] = field(default_factory=dict)
    label_set: str = ''
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    input_size: tuple[int, int] | None = None
    focal_length_px: float | None = None
    depth_range_m: tuple[float, float] | None = None
    training_data: str = ''
    training: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)
    normal_uncertainty: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    licence: str = ''

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of the network, in the order of its heads."""
        return NETWORKS[self.network]

    @property
    def labels(self) -> LabelSet:
        """Names and colours of the classes."""
        return LabelSet(self.label_set, self.class_names, self.palette)

    def to_json(self) -> str:
        """The info as the JSON text that a checkpoint's metadata holds."""
        return json.dumps({'format_version': _FORMAT_VERSION, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> 'CheckpointInfo':
        """The info of a metadata text.

        Raises:
            ValueError: If the text is no JSON object, of a newer format, names a network that
                this version does not know, or lacks a field.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f'its metadata is a {type(values).__name__}, not a JSON object')
        version = values.pop('format_version', None)
        if version != _FORMAT_VERSION:
            raise ValueError(
                f'its metadata has format version {version}, this package reads '
                f'{_FORMAT_VERSION}: update the package'
            )
        if values.get('network') not in NETWORKS:
            raise ValueError(
                f"its network is '{values.get('network')}', this package knows "
                f'{", ".join(NETWORKS)}: update the package'
            )
        known = {f.name for f in dataclasses.fields(cls)}
        missing = {'network', 'backbone', 'head_width'} - set(values)
        if missing or set(values) - known:
            wrong = ', '.join(sorted(missing | (set(values) - known)))
            raise ValueError(f'its metadata lacks or does not know: {wrong}')
        return cls(**{name: _tuples(value) for name, value in values.items()})


def read_info(path: str | os.PathLike) -> CheckpointInfo:
    """What a checkpoint says of itself, without loading its weights or PyTorch.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is no checkpoint of this package, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at '{path}': give the path of a .safetensors file")
    try:
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(
            f"'{path}' is truncated or not a safetensors file ({error}): copy it again, or "
            'convert foreign weights with python -m emu_model.import_weights SOURCE DEST'
        ) from error
    if _METADATA_KEY not in metadata:
        raise CheckpointError(
            f"'{path}' is a safetensors file without EMUFormer metadata: convert foreign weights "
            'with python -m emu_model.import_weights SOURCE DEST'
        )
    try:
        return CheckpointInfo.from_json(metadata[_METADATA_KEY])
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}") from error


def save(network: 'Network', info: CheckpointInfo, path: str | os.PathLike, half=False) -> None:
    """Write a network and what it says of itself; the file appears whole or not at all.

    Args:
        network: The weights, in training form.
        info: Its metadata; network and backbone must be those of `network`.
        path: The .safetensors file.
        half: Store floating-point weights as fp16, at half the size; they load as fp32.

    Raises:
        ValueError: If `info` names a network with other heads.
    """
    import torch
    from safetensors.torch import save_file

    if tuple(network.heads) != info.tasks:
        raise ValueError(
            f'the network has heads {", ".join(network.heads) or "none"}, its info says '
            f'{info.network}: save it with the info of the same network'
        )
    state = {
        name: (value.half() if half and value.dtype == torch.float32 else value).contiguous()
        for name, value in network.state_dict().items()
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    try:
        save_file(state, partial, {_METADATA_KEY: info.to_json()})
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | os.PathLike = BUNDLED) -> 'Network':
    """The network of a checkpoint in eval mode, fp32, on the CPU; `network.info` describes it.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is damaged, has no metadata, or its weights are of another
            architecture than its metadata says.
    """
    from safetensors.torch import load_file

    from emu_model.networks import Network

    info = read_info(path)
    try:
        network = Network.from_info(info)
    except (RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"'{path}' names a network that cannot be built: {error}") from error
    state = {
        name: value.float() if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights in '{path}' are not of the {info.network} with {info.backbone} that its "
            f'metadata names: use the file as it was saved ({error})'
        ) from error
    return network.eval()


def _tuples(value: Any) -> Any:
    """JSON lists as the tuples that the info is made of."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
