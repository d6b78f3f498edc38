"""Write a checkpoint as a file that runs without PyTorch.

    python -m emu_model.export CHECKPOINT OUTPUT [--format onnx|openvino] [--size HEIGHT WIDTH]

The file carries the checkpoint's metadata; `create_engine` takes it in the checkpoint's place.
"""

import argparse
import os
import sys
from pathlib import Path

from emu_model.checkpoint import METADATA_KEY, read_info
from emu_model.engines.engine import require_size
from emu_model.engines.exported import files_of
from emu_model.engines.graph_source import require_single
from emu_model.files import workspace_in, written_aside
from emu_model.graphs.network import build_network

FORMATS = {'onnx': '.onnx', 'openvino': '.xml'}
"""Formats and the suffix of their files."""


def export(
    checkpoint: str | os.PathLike,
    output: str | os.PathLike,
    file_format: str = 'onnx',
    size: tuple[int, int] | None = None,
) -> None:
    """Write a checkpoint in another format; files appear whole or not at all.

    The network takes `image`, uint8 RGB (B, H, W, 3), and gives each task's raw output, float32
    (B, C, h, w), before upsampling and activation.

    Args:
        checkpoint: A checkpoint file of a single network.
        output: The file to write; OpenVINO's weights go beside it as .bin.
        file_format: One of FORMATS.
        size: (height, width) of the image; any by default.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If it is none.
        ModuleNotFoundError: If a package is missing; the message names it.
        ValueError: If the output's suffix is not the format's, the checkpoint takes several
            samples, or its encoder cannot take frames of that size.
    """
    output = Path(output)
    if output.suffix != FORMATS[file_format]:
        raise ValueError(
            f"'{output}' does not end in {FORMATS[file_format]}, as files of the format "
            f"'{file_format}' do: rename it or choose the format"
        )
    info = read_info(checkpoint)
    require_single(info)
    if size is not None:
        require_size(size, info.backbone)
    model = build_network(checkpoint, size).SerializeToString()
    if file_format == 'onnx':
        with written_aside(output) as partial:
            partial.write_bytes(model)
        return
    with workspace_in(output.parent) as workspace:
        _save_openvino(model, workspace / output.name, info.to_json())
        for path in reversed(files_of(output)):  # the weights first
            os.replace(workspace / path.name, path)


def _save_openvino(model: bytes, path: Path, metadata: str) -> None:
    from emu_model.engines.openvino_runtime import core, ov

    converted = core().read_model(model, b'')
    converted.set_rt_info(metadata, METADATA_KEY)
    ov.save_model(converted, path, compress_to_fp16=False)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='python -m emu_model.export', description=__doc__)
    parser.add_argument('checkpoint', help='a checkpoint of a single network')
    parser.add_argument('output', help='file to write, .onnx or .xml')
    parser.add_argument('--format', choices=FORMATS, help="the output's suffix tells by default")
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'), help='any size by default'
    )
    options = parser.parse_args(arguments)
    suffixes = {suffix: name for name, suffix in FORMATS.items()}
    file_format = options.format or suffixes.get(Path(options.output).suffix, 'onnx')
    size = tuple(options.size) if options.size else None
    try:
        export(options.checkpoint, options.output, file_format, size)
    except (OSError, ValueError, ImportError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
