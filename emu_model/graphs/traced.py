"""Any encoder of timm as part of an ONNX graph, traced by PyTorch."""

import io
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import onnx

from emu_model.checkpoint import CheckpointInfo
from emu_model.graphs.builder import OPSET, GraphBuilder
from emu_model.mit_variants import VARIANTS

_TRACE_SIZE = (96, 128)


def needs_tracing(info: CheckpointInfo) -> bool:
    """Whether the encoder is another than MiT, so that PyTorch has to trace it."""
    return info.backbone not in VARIANTS


def trace_elsewhere(checkpoint: str | os.PathLike) -> bytes:
    """The ONNX file of a checkpoint, made in a process of its own that loads PyTorch.

    Raises:
        RuntimeError: If that process failed; the message is its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / 'network.onnx'
        command = [sys.executable, '-m', 'emu_model.export', os.fspath(checkpoint), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"'{checkpoint}' could not be converted: {done.stderr.strip().splitlines()[-1]}"
            )
        return target.read_bytes()


def add_traced(builder: GraphBuilder, checkpoint: str | os.PathLike, image: str) -> list[str]:
    """Append the encoder of a checkpoint to a graph.

    Args:
        builder: The graph.
        checkpoint: A checkpoint file.
        image: Name of a normalised image (B, H, W, 3).

    Returns:
        Names of the feature maps (B, h, w, C), finest first.

    Raises:
        ModuleNotFoundError: If PyTorch or timm is missing.
    """
    try:
        import torch

        from emu_model.checkpoint import load
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"'{checkpoint}' has an encoder other than MiT, which takes PyTorch to convert, and "
            f'{error.name} is missing: install the extra emuformer_ros[torch], or run python -m '
            'emu_model.export where it is installed and use the file that gives'
        ) from error

    backbone = load(checkpoint).backbone
    names = [f'map_{level}' for level in range(len(backbone.feature_info.channels()))]
    file = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # The tracer is deprecated in favour of one that needs the onnxscript package.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            backbone,
            (torch.zeros(1, 3, *_TRACE_SIZE),),
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
