"""Checkpoints: one safetensors file that explains itself through its metadata."""

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emu_model.files import written_aside
from emu_model.inverse_depth import DEPTH_TARGETS
from emu_model.labels import LabelSet
from emu_model.tasks import NETWORKS

if TYPE_CHECKING:
    from emu_model.networks import Network
    from emu_model.sampling import Samples

BUNDLED = Path(__file__).parent / 'checkpoints' / 'synthetic_b0.safetensors'
"""The checkpoint that comes with the package; it knows synthetic scenes only."""

METHODS = ('single', 'mc_dropout', 'sub_ensemble', 'ensemble')
"""Ways to a predictive distribution; all but the first take several samples."""

ENSEMBLE_FILE = 'ensemble.json'
"""File in an ensemble's folder that names its members."""

METADATA_KEY = 'emuformer'
_FORMAT_VERSION = 1
_SHOWN_OF_A_MISMATCH = 300
_NO_MEMBERS = (
    "does not list the members of an ensemble: its 'members' must be a list of paths of "
    'checkpoint files'
)
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
        head_dropout: Dropout rate before the last layer of the heads.
        backbone_options: Keyword arguments of the encoder, the LayerNorm eps among them.
        method: How uncertainty comes about: one of METHODS.
        num_samples: Samples that one prediction is made of.
        label_set: Name of the label set; empty without a semantic head.
        class_names: Class names in id order.
        palette: (red, green, blue) 0…255 per class.
        mean: RGB mean that images, scaled to 0…1, are normalised with.
        std: RGB standard deviation, likewise.
        input_size: (height, width) the network was trained at; None where any size will do.
        focal_length_px: Focal length at `input_size` that depth is calibrated for, in pixels.
        depth_range_m: (nearest, farthest) depth of the training data in metres.
        depth_target: What the depth head's mean is: 'depth' in metres, or 'inverse' depth in 1/m
            (emu_model.inverse_depth). Predictions are in metres with either.
        things: Ids of the classes whose objects are told apart; empty without an instance head.
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
    head_dropout: float = 0.1
    backbone_options: dict[str, Any] = field(default_factory=dict)
    method: str = 'single'
    num_samples: int = 1
    label_set: str = ''
    class_names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    input_size: tuple[int, int] | None = None
    focal_length_px: float | None = None
    depth_range_m: tuple[float, float] | None = None
    depth_target: str = 'depth'
    things: tuple[int, ...] = ()
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
    def trained_uncertainties(self) -> tuple[str, ...]:
        """The outputs that are uncertainties and that training gave a meaning.

        A depth loss on the mean alone leaves the variance as it was initialised, unless a teacher
        showed what it should be.
        """
        trained = []
        if 'semantic' in self.tasks:
            trained.append('entropy')
        by_loss = self.training.get('depth_loss', 'gnll') == 'gnll'
        by_teacher = bool(self.training.get('teacher') and self.training.get('rmsle_weight'))
        if 'depth' in self.tasks and (by_loss or by_teacher):
            trained.append('depth_std')
        return tuple(trained)

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
        if values.get('depth_target', 'depth') not in DEPTH_TARGETS:
            raise ValueError(
                f"its depth_target is '{values['depth_target']}', this package knows "
                f'{", ".join(DEPTH_TARGETS)}: update the package'
            )
        if values.get('method', 'single') not in METHODS:
            raise ValueError(
                f"its method is '{values['method']}', this package knows {', '.join(METHODS)}: "
                'update the package'
            )
        known = {f.name for f in dataclasses.fields(cls)}
        missing = {'network', 'backbone', 'head_width'} - set(values)
        if missing or set(values) - known:
            wrong = ', '.join(sorted(missing | (set(values) - known)))
            raise ValueError(f'its metadata lacks or does not know: {wrong}')
        return cls(**{name: _tuples(value) for name, value in values.items()})


def read_info(path: str | os.PathLike) -> CheckpointInfo:
    """What a checkpoint says of itself, without loading its weights or PyTorch.

    Args:
        path: A checkpoint file, or the folder of an ensemble.

    Raises:
        FileNotFoundError: If there is no such file, or an ensemble lacks a member.
        CheckpointError: If it is no checkpoint of this package, or is damaged.
    """
    # Here: a launch system that lists the engines may lack what runs them.
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        try:
            return ensemble_info([read_info(member) for member in ensemble_members(path)])
        except CheckpointError:
            raise
        except ValueError as error:
            raise CheckpointError(f"'{path}' is no ensemble: {error}") from error
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
    if METADATA_KEY not in metadata:
        raise CheckpointError(
            f"'{path}' is a safetensors file without EMUFormer metadata: convert foreign weights "
            'with python -m emu_model.import_weights SOURCE DEST'
        )
    try:
        return CheckpointInfo.from_json(metadata[METADATA_KEY])
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
    from safetensors.torch import save as serialise

    if network.tasks != info.tasks:
        raise ValueError(
            f'the network has heads {", ".join(network.tasks) or "none"}, its info says '
            f'{info.network}: save it with the info of the same network'
        )
    state = {
        name: (value.half() if half and value.dtype == torch.float32 else value).contiguous()
        for name, value in network.state_dict().items()
    }
    with written_aside(path) as partial:
        # Not save_file, which leaves a file that nobody but its owner may read.
        partial.write_bytes(serialise(state, {METADATA_KEY: info.to_json()}))


def save_ensemble(folder: str | os.PathLike, members: Sequence[str | os.PathLike]) -> None:
    """Make a folder an ensemble of checkpoint files, which stay where they are.

    Args:
        folder: The folder; its ensemble.json is written.
        members: Checkpoint files of single networks with the same tasks and classes.

    Raises:
        CheckpointError, FileNotFoundError, ValueError: If they cannot be an ensemble.
    """
    ensemble_info([read_info(member) for member in members])
    names = [os.path.relpath(member, folder) for member in members]
    content = {'format_version': _FORMAT_VERSION, 'members': names}
    with written_aside(Path(folder) / ENSEMBLE_FILE) as partial:
        partial.write_text(json.dumps(content, indent=2))


def ensemble_members(folder: str | os.PathLike) -> list[Path]:
    """The checkpoint files of an ensemble's folder.

    A list that was written by hand needs no format version.

    Raises:
        CheckpointError: If the folder is no ensemble, or one of a newer format.
    """
    file = Path(folder) / ENSEMBLE_FILE
    try:
        content = json.loads(file.read_text())
        version, names = content.get('format_version', _FORMAT_VERSION), content['members']
    except FileNotFoundError as error:
        raise CheckpointError(
            f"'{folder}' is a folder without {ENSEMBLE_FILE}: give a checkpoint file or the "
            'folder of an ensemble'
        ) from error
    except (ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"'{file}' {_NO_MEMBERS}") from error
    if version != _FORMAT_VERSION:
        raise CheckpointError(
            f"'{file}' has format version {version}, this package reads {_FORMAT_VERSION}: update "
            'the package'
        )
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"'{file}' {_NO_MEMBERS}")
    members = [file.parent / name for name in names]
    if folders := [str(member) for member in members if member.is_dir()]:
        raise CheckpointError(f"'{file}' lists the folder '{folders[0]}': list checkpoint files")
    return members


_SAME_IN_ENSEMBLES = ('depth_target', 'focal_length_px', 'mean', 'std', 'things')


def ensemble_info(members: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """What an ensemble says of itself: the first member's info, with the method and their number.

    Training is the first member's. Figures and what is normal are no member's: an ensemble is
    better than its members, and less sure.

    Raises:
        ValueError: If there is no member, one samples itself, or they differ in tasks, classes,
            or what they take and predict.
    """
    if not members:
        raise ValueError('an ensemble needs at least one member')
    first = members[0]
    for info in members:
        if info.method != 'single':
            raise ValueError(f'a member is itself a {info.method}: members are single networks')
        if (info.tasks, info.class_names) != (first.tasks, first.class_names):
            raise ValueError(
                f'a member is a {info.network} with {len(info.class_names)} classes, the first a '
                f'{first.network} with {len(first.class_names)}: members must have the same tasks '
                'and classes'
            )
        for name in _SAME_IN_ENSEMBLES:
            own, others = getattr(info, name), getattr(first, name)
            if own != others:
                raise ValueError(
                    f"a member's {name} is {own!r}, the first's {others!r}: members must take "
                    'the same images and predict the same quantities'
                )
    return dataclasses.replace(
        first,
        method='ensemble',
        num_samples=len(members),
        validation={},
        normal_uncertainty={},
    )


def load(path: str | os.PathLike = BUNDLED) -> 'Samples':
    """The network of a checkpoint in eval mode, fp32, on the CPU; `network.info` describes it.

    Args:
        path: A checkpoint file, or the folder of an ensemble.

    Raises:
        FileNotFoundError: If there is no such file, or an ensemble lacks a member.
        CheckpointError: If it is damaged, has no metadata, or its weights are of another
            architecture than its metadata says.
    """
    from emu_model.sampling import Ensemble

    if Path(path).is_dir():
        read_info(path)
        return Ensemble([_load_file(member) for member in ensemble_members(path)]).eval()
    return _load_file(path)


def _load_file(path: str | os.PathLike) -> 'Network':
    from safetensors.torch import load_file

    from emu_model.sampling import SINGLE_FILE_METHODS

    info = read_info(path)
    try:
        network = SINGLE_FILE_METHODS[info.method].from_info(info)
    except (RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"'{path}' names a network that cannot be built: {error}") from error
    state = {
        name: value.float() if value.is_floating_point() else value
        for name, value in load_file(path).items()
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = ' '.join(str(error).split())[:_SHOWN_OF_A_MISMATCH]
        raise CheckpointError(
            f"the weights in '{path}' are not of the {info.network} with {info.backbone} that its "
            f'metadata names: use the file as it was saved ({first} …)'
        ) from error
    return network.eval()


def _tuples(value: Any) -> Any:
    """JSON lists as the tuples that the info is made of."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
