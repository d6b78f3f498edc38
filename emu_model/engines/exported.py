"""Files of emu_model.export, where something else than an engine meets them."""

import os
from pathlib import Path

from emu_model.checkpoint import CheckpointInfo, read_info
from emu_model.engines.choice import EXPORTED_FOR, choose_engine, engine_class


def is_exported(path: str | os.PathLike) -> bool:
    """Whether a path is, by its suffix, that of a file of emu_model.export."""
    return Path(path).suffix in EXPORTED_FOR


def files_of(path: str | os.PathLike) -> list[Path]:
    """The files that a checkpoint file or one of emu_model.export stands for, itself first.

    An OpenVINO file has its weights beside it.
    """
    path = Path(path)
    return [path, path.with_suffix('.bin')] if path.suffix == '.xml' else [path]


def read_model_info(path: str | os.PathLike) -> CheckpointInfo:
    """What anything that `create_engine` takes says of itself, without making an engine of it.

    Args:
        path: A checkpoint file, the folder of an ensemble, or a file of emu_model.export.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ModuleNotFoundError: If the packages are missing that read an exported file; the message
            names the extra.
    """
    if not is_exported(path):
        return read_info(path)
    suffix = Path(path).suffix
    engine, _ = choose_engine(None, 'auto', suffix)
    engine_class(engine)  # Names the packages that are missing.
    if suffix == '.xml':
        from emu_model.engines.openvino_source import OpenVINOSource

        return OpenVINOSource(path).info
    from emu_model.engines.graph_source import GraphSource

    return GraphSource(path).info
