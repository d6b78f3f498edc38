"""Any encoder of timm as part of an ONNX graph, traced by PyTorch."""

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from emu_model.checkpoint import CheckpointError, CheckpointInfo
from emu_model.graphs.builder import OPSET, GraphBuilder
from emu_model.mit_variants import VARIANTS

if TYPE_CHECKING:
    from torch import nn

_TRACE_SIZE = (96, 128)
_OTHER_SIZES = ((160, 96), (97, 131))
_ROUNDING = 1e-4
"""Of the largest value."""


def needs_tracing(info: CheckpointInfo) -> bool:
    """Whether the encoder is another than MiT, so that PyTorch has to trace it."""
    return info.backbone not in VARIANTS


def trace_elsewhere(checkpoint: str | os.PathLike) -> bytes:
    """The ONNX file of a checkpoint, made in a process of its own that loads PyTorch.

    Raises:
        ModuleNotFoundError: If PyTorch or timm is missing.
        CheckpointError: If it cannot be converted.
    """
    for package in ('torch', 'timm'):
        if importlib.util.find_spec(package) is None:
            raise _needs(package, checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / 'network.onnx'
        command = [sys.executable, '-m', 'emu_model.export', os.fspath(checkpoint), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reasons = done.stderr.strip().splitlines() or [f'its process ended {done.returncode}']
            raise CheckpointError(
                f"'{checkpoint}' could not be converted: {reasons[-1].removeprefix('error: ')}"
            )
        return target.read_bytes()


def add_traced(
    builder: GraphBuilder,
    checkpoint: str | os.PathLike,
    image: str,
    size: tuple[int, int] | None = None,
) -> list[str]:
    """Append the encoder of a checkpoint to a graph.

    Args:
        builder: The graph.
        checkpoint: A checkpoint file.
        image: Name of a normalised image (B, H, W, 3).
        size: (height, width) of the image; any by default.

    Returns:
        Names of the feature maps (B, h, w, C), finest first.

    Raises:
        ModuleNotFoundError: If PyTorch or timm is missing.
        CheckpointError: If images of any size are asked for, and the encoder's computations
            depend on it.
    """
    try:
        import torch

        from emu_model.checkpoint import load
    except ModuleNotFoundError as error:
        raise _needs(error.name, checkpoint) from error

    backbone = load(checkpoint).backbone
    if size is None and not _takes_any_size(backbone):
        raise CheckpointError(
            f"what the encoder in '{checkpoint}' computes depends on the size of the image: run "
            "python -m emu_model.export with --size HEIGHT WIDTH, or use the engine 'torch'"
        )
    names = [f'map_{level}' for level in range(len(backbone.feature_info.channels()))]
    file = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # The tracer is deprecated in favour of one that needs the onnxscript package.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            backbone,
            (torch.zeros(1, 3, *(size or _TRACE_SIZE)),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=['input'],
            output_names=names,
            dynamic_axes={'input': {0: 'batch', 2: 'height', 3: 'width'}},
        )
    traced = onnx.compose.add_prefix(onnx.load_from_string(file.getvalue()), 'encoder/')
    builder.add('Transpose', image, perm=[0, 3, 1, 2], output='encoder/input')
    builder.extend(traced)
    return [builder.add('Transpose', f'encoder/{name}', perm=[0, 2, 3, 1]) for name in names]


def _takes_any_size(backbone: 'nn.Module') -> bool:
    """Whether a trace at one size is right at others: control flow and shapes are frozen in it."""
    import torch

    draw = torch.Generator().manual_seed(0)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        first = torch.rand(1, 3, *_TRACE_SIZE, generator=draw)
        traced = torch.jit.trace(backbone, first, check_trace=False, strict=False)
        for size in _OTHER_SIZES:
            image = torch.rand(1, 3, *size, generator=draw)
            try:
                found = traced(image)
            except RuntimeError:
                return False
            for value, wanted in zip(found, backbone(image)):
                if value.shape != wanted.shape:
                    return False
                if (value - wanted).abs().max() > _ROUNDING * wanted.abs().max():
                    return False
    return True


def _needs(package: str, checkpoint: str | os.PathLike) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"'{checkpoint}' has an encoder other than MiT, which takes PyTorch to convert, and "
        f'{package} is missing: install the extra emuformer_ros[torch], or run python -m '
        'emu_model.export where it is installed and use the file that gives'
    )
