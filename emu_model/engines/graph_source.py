"""What the runtimes without PyTorch load: a checkpoint, or the ONNX file of emu_model.export."""

import os
from pathlib import Path

import onnx

from emu_model.checkpoint import CheckpointError, CheckpointInfo, read_info
from emu_model.engines.artefacts import cached, file_digest
from emu_model.graphs import network as graphs
from emu_model.graphs.traced import needs_tracing, trace_elsewhere


class GraphSource:
    """A network as an ONNX graph.

    Args:
        path: A checkpoint file of a single network, or an ONNX file of emu_model.export.

    Attributes:
        path: The file.
        digest: Its SHA-256.
        info: What the checkpoint says of itself.
        size: (height, width) of the only frames it takes; None if it takes any.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ValueError: If the checkpoint takes several samples.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._exported: onnx.ModelProto | None = None
        self.size: tuple[int, int] | None = None
        if self.path.suffix == '.onnx':
            self._exported = _load_onnx(self.path)
            self.info = _exported_info(self.path, self._exported)
            self.size = graphs.frame_size_of(self._exported)
        else:
            self.info = read_info(self.path)
            require_single(self.info)
        self.digest = file_digest(self.path)

    def network(self) -> onnx.ModelProto:
        """The graph of `build_network`.

        Raises:
            ModuleNotFoundError: If the encoder has to be traced and PyTorch is missing.
        """
        if self._exported is not None:
            return self._exported
        if needs_tracing(self.info):
            key = {'kind': 'traced', 'checkpoint': self.digest, 'graph': graphs.VERSION}
            return cached(key, lambda: trace_elsewhere(self.path), onnx.load_from_string)
        return graphs.build_network(self.path)

    def heads(self) -> dict[str, graphs.FoldedHead]:
        """The folded head of each task."""
        if self._exported is not None:
            constants = graphs.constants_of(self._exported)
            return {task: graphs.head_from_constants(task, constants) for task in self.info.tasks}
        return graphs.read_heads(self.path, self.info)


def require_single(info: CheckpointInfo) -> None:
    """Refuse a checkpoint that takes several samples per prediction.

    Raises:
        ValueError: If it does.
    """
    if info.method != 'single':
        raise ValueError(
            f"the checkpoint takes {info.num_samples} samples per frame ('{info.method}'), which "
            "only PyTorch runs: choose the engine 'torch', or distil it into a single network"
        )


def _load_onnx(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise FileNotFoundError(f"no model at '{path}': make it with python -m emu_model.export")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker have exceptions of their own
        raise CheckpointError(
            f"'{path}' is truncated or not an ONNX file ({error}): export it again with "
            'python -m emu_model.export'
        ) from error
    return model


def _exported_info(path: Path, model: onnx.ModelProto) -> CheckpointInfo:
    try:
        return graphs.read_network_info(model)
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"'{path}' is not a file of emu_model.export: {error}; export the checkpoint again"
        ) from error
