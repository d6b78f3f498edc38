"""What OpenVINO loads: its own files as well as everything that a GraphSource does."""

import os
from pathlib import Path

from emu_model.checkpoint import METADATA_KEY, CheckpointError, CheckpointInfo
from emu_model.engines.artefacts import file_digest
from emu_model.engines.exported import files_of
from emu_model.engines.graph_source import GraphSource
from emu_model.engines.openvino_runtime import core, ov
from emu_model.folding import FoldedHead
from emu_model.graphs.network import head_from_constants


class OpenVINOSource:
    """A network as an OpenVINO model.

    Args:
        path: A checkpoint file of a single network, or a file of emu_model.export.

    Attributes:
        info: What the checkpoint says of itself.
        digest: SHA-256 of what is loaded.
        size: (height, width) of the only frames it takes; None if it takes any.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ValueError: If the checkpoint takes several samples.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = Path(path)
        self._graph = None if self._path.suffix == '.xml' else GraphSource(path)
        if self._graph is not None:
            self.info, self.digest = self._graph.info, self._graph.digest
            self.size = self._graph.size
        else:
            self.info, self.size = self._read_exported()
            self.digest = file_digest(*files_of(self._path))

    def model(self) -> ov.Model:
        """The whole network (emu_model.graphs.network.build_network)."""
        if self._graph is None:
            return core().read_model(self._path)
        return core().read_model(self._graph.network().SerializeToString(), b'')

    def heads(self) -> dict[str, FoldedHead]:
        """The folded head of each task."""
        if self._graph is not None:
            return self._graph.heads()
        constants = {
            node.get_friendly_name(): node.data
            for node in self.model().get_ordered_ops()
            if node.get_type_name() == 'Constant'
        }
        return {task: head_from_constants(task, constants) for task in self.info.tasks}

    def _read_exported(self) -> tuple[CheckpointInfo, tuple[int, int] | None]:
        for path in files_of(self._path):
            if not path.is_file():
                raise FileNotFoundError(
                    f"no model at '{path}': make it with python -m emu_model.export"
                )
        try:
            model = self.model()
            info = CheckpointInfo.from_json(model.get_rt_info(METADATA_KEY).astype(str))
            size = model.input(0).partial_shape[1:3]
            return info, None if size.is_dynamic else tuple(size.to_shape())
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise CheckpointError(
                f"'{self._path}' is not a file of emu_model.export, or damaged ({reason}): export "
                'the checkpoint again'
            ) from error
