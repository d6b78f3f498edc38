"""The network that a training begins with: made for its data, or started from checkpoints."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import emu_model
from emu_model.checkpoint import CheckpointInfo, read_info
from emu_model.labels import LabelSet
from emu_model.networks import Network
from emu_model.sampling import SINGLE_FILE_METHODS
from emu_model.tasks import NETWORKS
from train.data.datamodule import FrameDataModule

WHOLE = ''
ENCODER = 'backbone'
SEMANTIC_HEAD = 'heads.semantic'
DEPTH_HEAD = 'heads.depth'
"""Parts of a network that can start from a checkpoint, as `Module.get_submodule` names them."""

_MUST_MATCH = {
    WHOLE: ('tasks', 'backbone', 'head_width', 'class_names', 'depth_target'),
    ENCODER: ('backbone',),
    SEMANTIC_HEAD: ('backbone', 'head_width', 'class_names'),
    DEPTH_HEAD: ('backbone', 'head_width', 'depth_target'),
}
_SHOWN_OF_A_VALUE = 60

DROPOUT_OPTION = 'proj_drop_rate'
"""The option of encoders with dropout sites, which Monte Carlo dropout needs."""


def describe(options: Any, data: FrameDataModule, origin: Path | None) -> CheckpointInfo:
    """What is to be trained.

    Args:
        options: Hyperparameters of train.module.NetworkModule.
        data: What it is trained on.
        origin: Checkpoint that the encoder starts from, whose LayerNorm eps it keeps; None if it
            starts afresh.

    Raises:
        FileNotFoundError, CheckpointError: If `origin` cannot be read.
    """
    tasks = NETWORKS[options.network]
    return CheckpointInfo(
        network=options.network,
        backbone=options.backbone,
        head_width=0,
        head_dropout=options.dropout,
        backbone_options=_backbone_options(options, origin),
        method=options.method,
        num_samples=options.num_samples,
        training_data=data.description,
        input_size=data.size,
        focal_length_px=data.focal_length_px if 'depth' in tasks else None,
        depth_range_m=data.depth_range_m if 'depth' in tasks else None,
        depth_target=options.depth_target if 'depth' in tasks else 'depth',
        things=data.things if 'instance' in tasks else (),
        **_classes(data.labels if 'semantic' in tasks else None),
    )


def build(info: CheckpointInfo, mean_depth_m: float) -> Network:
    """A network with random weights.

    Args:
        info: What it is; the head width is the backbone's usual one.
        mean_depth_m: Mean depth of the data in metres, which depth heads start at.

    Returns:
        The network, whose `info` knows the head width.

    Raises:
        ValueError: If there is no such backbone.
    """
    network = SINGLE_FILE_METHODS[info.method].from_info(info)
    network.info = replace(info, head_width=network.head_width)
    _start_at_mean_depth(network, mean_depth_m)
    return network


def start_from(path: Path, network: Network, parts: Sequence[str]) -> None:
    """Give parts of a network the weights of the same parts of a checkpoint.

    Args:
        path: A checkpoint file.
        network: The network, which is changed.
        parts: WHOLE, or any of ENCODER, SEMANTIC_HEAD and DEPTH_HEAD.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, an ensemble, or a network whose parts do not fit.
    """
    _check_fit(path, read_info(path), network.info, parts)
    source = emu_model.load(path)
    for part in parts:
        network.get_submodule(part).load_state_dict(source.get_submodule(part).state_dict())


def _check_fit(
    path: Path, known: CheckpointInfo, wanted: CheckpointInfo, parts: Sequence[str]
) -> None:
    if known.method == 'ensemble':
        raise ValueError(
            f"'{path}' is an ensemble of {known.num_samples} networks: start from one of its "
            'members'
        )
    fields = {field for part in parts for field in _MUST_MATCH[part]}
    if WHOLE in parts and 'sub_ensemble' in (known.method, wanted.method):
        fields |= {'method', 'num_samples'}
    wrong = [
        f'{field} {_shown(known, field)} instead of {_shown(wanted, field)}'
        for field in sorted(fields)
        if getattr(known, field) != getattr(wanted, field)
    ]
    for info, who in ((known, 'it'), (wanted, 'what is trained')):
        there = {WHOLE, ENCODER, *(f'heads.{task}' for task in info.tasks)}
        wrong += [f'{who} has no {part}' for part in parts if part not in there]
    if wrong:
        raise ValueError(
            f"'{path}', a {known.network} with {known.backbone}, does not fit the "
            f'{wanted.network} that is trained ({"; ".join(wrong)}): start from one that does'
        )


def _shown(info: CheckpointInfo, field: str) -> str:
    value = getattr(info, field)
    text = ', '.join(value) or 'none' if isinstance(value, tuple) else str(value)
    return textwrap.shorten(text, _SHOWN_OF_A_VALUE, placeholder=' …')


def _backbone_options(options: Any, origin: Path | None) -> dict[str, Any]:
    chosen = {}
    if options.drop_path_rate:  # Some encoders of timm have no such option.
        chosen['drop_path_rate'] = options.drop_path_rate
    if options.method == 'mc_dropout':
        chosen[DROPOUT_OPTION] = options.dropout
    if origin:
        known = read_info(origin).backbone_options
        chosen |= {key: known[key] for key in known if key.endswith('norm_eps')}
    return chosen


def _classes(labels: LabelSet | None) -> dict[str, Any]:
    if labels is None:
        return {}
    return {
        'label_set': labels.name,
        'class_names': labels.class_names,
        'palette': labels.palette,
    }


def _start_at_mean_depth(network: Network, mean_depth_m: float) -> None:
    """Bias each depth head's mean to the mean depth, so that its ReLU starts alive.

    Inverse depth starts at that of the mean depth.
    """
    inverse = network.info.depth_target == 'inverse'
    for heads in (network.heads, *getattr(network, 'further_heads', [])):
        if 'depth' in heads:
            with torch.no_grad():
                heads['depth'].predict.bias[0] = 1 / mean_depth_m if inverse else mean_depth_m
