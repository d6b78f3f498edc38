"""Turn published SegFormer weights into a checkpoint: NVlabs, transformers 4 and transformers 5.

    python -m emu_model.import_weights SOURCE DEST [--labels cityscapes]

SOURCE is an encoder alone or a whole SegFormer: a .pth, .bin or .safetensors file, or the folder
of a transformers model. Mind the terms of the weights: NVlabs' code and weights are for
non-commercial use; transformers' code is Apache-2.0, weights there carry their authors' licences.
"""

import argparse
import json
import pickle
import re
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emu_model import checkpoint
from emu_model.checkpoint import CheckpointError, CheckpointInfo
from emu_model.labels import LABEL_SETS, LabelSet, numbered
from emu_model.mit_variants import VARIANTS, sizes_of
from emu_model.networks import Network
from emu_model.weight_formats import FORMATS, format_of, rename


def import_weights(source: Path, dest: Path, labels: LabelSet | None = None) -> CheckpointInfo:
    """Read published weights and write them as a checkpoint.

    Args:
        source: A weights file, or the folder of a transformers model.
        dest: The .safetensors file to write.
        labels: Names and colours of the classes; those that come with the weights by default.

    Returns:
        The metadata of the written checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is of no known format, or its weights do not match a MiT.
        ValueError: If `labels` has another number of classes than the weights.
    """
    state, extras = _read(Path(source))
    form = format_of(state)
    if form is None:
        raise CheckpointError(
            f"'{source}' has no SegFormer weights that this package knows (it begins with "
            f'{", ".join(list(state)[:3])}): expected {", ".join(form.name for form in FORMATS)}'
        )
    renamed = rename(state, form)
    backbone = _variant_of(renamed, source)
    info = CheckpointInfo(
        network='Encoder',
        backbone=backbone,
        head_width=0,
        backbone_options={'norm_eps': form.norm_eps, 'embed_norm_eps': 1e-5},
        training_data=f'imported from {form.name} weights',
        licence=form.licence,
    )
    if 'heads.semantic.predict.weight' in renamed:
        num_classes, width = renamed['heads.semantic.predict.weight'].shape[:2]
        info = _with_labels(info, labels or _labels_of(extras, num_classes), num_classes, width)
    network = Network.from_info(info)
    _load_exactly(network, renamed, source)
    checkpoint.save(network, info, dest)
    return info


def _read(source: Path) -> tuple[dict[str, Tensor], dict]:
    """The weights of a file or folder, and mmseg's metadata of them (CLASSES and the like)."""
    extras = {}
    if source.is_dir():
        found = [source / name for name in ('model.safetensors', 'pytorch_model.bin')]
        files = [file for file in found if file.is_file()]
        if not files:
            raise FileNotFoundError(
                f"'{source}' has neither model.safetensors nor pytorch_model.bin: give a weights "
                'file or the folder of a transformers model'
            )
        config = source / 'config.json'
        extras = _read_config(config) if config.is_file() else {}
        source = files[0]
    if not source.is_file():
        raise FileNotFoundError(f"no weights at '{source}': give a file or a folder")
    content = _load_tensors(source)
    if not isinstance(content, dict):
        raise CheckpointError(f"'{source}' holds a {type(content).__name__}, no weights by name")
    if isinstance(content.get('state_dict'), dict):
        meta = content.get('meta')
        return content['state_dict'], {**(meta if isinstance(meta, dict) else {}), **extras}
    return content, extras


def _read_config(file: Path) -> dict[str, list[str]]:
    """What a transformers model says of its classes, under mmseg's name; nothing if it does not.

    Raises:
        CheckpointError: If the file is damaged.
    """
    try:
        config = json.loads(file.read_text(encoding='utf-8'))
        if not isinstance(config, dict):
            raise ValueError(f'it holds a {type(config).__name__}, no JSON object')
        names = config.get('id2label') or {}
        if not isinstance(names, dict):
            raise ValueError(f'its id2label is a {type(names).__name__}, no JSON object')
        by_id = {int(index): name for index, name in names.items()}
    except ValueError as error:
        raise CheckpointError(
            f"'{file}' does not describe a transformers model ({error}): download it again, or "
            'remove it to have numbers for class names'
        ) from error
    return {'CLASSES': [by_id[index] for index in sorted(by_id)]} if by_id else {}


def _load_tensors(file: Path) -> object:
    """The content of a file; CheckpointError if it is damaged or holds more than tensors."""
    try:
        if file.suffix == '.safetensors':
            return load_file(file)
        return torch.load(file, map_location='cpu', weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        refused = re.search(r'GLOBAL (\S+)', str(error))
        if refused:
            raise CheckpointError(
                f"'{file}' holds more than tensors: {refused[1]} was refused, as loading it could "
                'run any code. Where the file comes from, save the state_dict alone, with '
                'torch.save(model.state_dict(), ...) or as safetensors, and import that'
            ) from error
        raise CheckpointError(
            f"'{file}' is truncated, or is not a file of weights alone ({error}): download it "
            'again'
        ) from error


def _variant_of(renamed: dict[str, Tensor], source: Path) -> str:
    encoder = {name.removeprefix('backbone.'): value for name, value in renamed.items()}
    depths, widths = sizes_of(encoder)
    for name, variant in VARIANTS.items():
        if variant == (depths, widths):
            return name
    raise CheckpointError(
        f"'{source}' has {depths} blocks of {widths} channels, which is none of MiT-B0 to B5"
    )


def _labels_of(extras: dict, num_classes: int) -> LabelSet:
    """The class names that came with the weights, else numbers."""
    names = tuple(extras.get('CLASSES') or ())
    if len(names) != num_classes:
        return numbered(num_classes)
    palette = extras.get('PALETTE') or numbered(num_classes).palette
    for known in LABEL_SETS.values():
        if known.class_names == names:
            return known
    return LabelSet('imported', names, tuple(tuple(map(int, colour)) for colour in palette))


def _with_labels(
    info: CheckpointInfo, labels: LabelSet, num_classes: int, width: int
) -> CheckpointInfo:
    if len(labels) != num_classes:
        raise ValueError(
            f"the semantic head has {num_classes} classes, label set '{labels.name}' has "
            f'{len(labels)}: pass --labels with another set, or none'
        )
    return replace(
        info,
        network='SegFormer',
        head_width=width,
        label_set=labels.name,
        class_names=labels.class_names,
        palette=labels.palette,
    )


def _load_exactly(network: Network, state: dict[str, Tensor], source: Path) -> None:
    own = network.state_dict()
    counters = {key for key in own if key.endswith('num_batches_tracked')}
    missing = sorted(set(own) - set(state) - counters)
    unknown = sorted(set(state) - set(own))
    shapes = [
        f'{key} {tuple(state[key].shape)} for {tuple(own[key].shape)}'
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    wrong = [('missing', missing), ('not known', unknown), ('of another shape', shapes)]
    if any(keys for _, keys in wrong):
        listed = '; '.join(f'{what}: {", ".join(keys)}' for what, keys in wrong if keys)
        raise CheckpointError(f"'{source}' does not match {network.info.backbone}: {listed}")
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m emu_model.import_weights',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'source', type=Path, help='weights file, or folder of a transformers model'
    )
    parser.add_argument('dest', type=Path, help='.safetensors checkpoint to write')
    parser.add_argument('--labels', choices=sorted(LABEL_SETS), help='names of the classes')
    options = parser.parse_args(arguments)
    try:
        info = import_weights(options.source, options.dest, LABEL_SETS.get(options.labels))
    except (CheckpointError, OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    classes = f', {len(info.class_names)} classes' if info.class_names else ', no heads'
    print(f'{options.dest}: {info.network} with {info.backbone}{classes}; {info.licence}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
