"""Engines: how a checkpoint is run. One file per runtime, one interface (engine.Engine)."""

import os

from emu_model.checkpoint import BUNDLED
from emu_model.engines.engine import Engine

__all__ = ['ENGINES', 'Engine', 'create_engine']

ENGINES = ('auto', 'torch')
DEVICES = "'auto', 'cpu', 'cuda' or 'cuda:N'"


def create_engine(
    checkpoint: str | os.PathLike = BUNDLED,
    engine: str = 'auto',
    device: str = 'auto',
    network_size: tuple[int, int] | None = None,
) -> Engine:
    """Load a checkpoint and make it ready to run.

    Args:
        checkpoint: A checkpoint file.
        engine: One of ENGINES; 'auto' picks by device.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'; 'auto' takes a GPU where there is one.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the checkpoint cannot be used.
        ValueError: If the engine or device is unknown, or the device is not there.
    """
    if engine not in ENGINES:
        raise ValueError(f"no engine '{engine}': choose of {', '.join(ENGINES)}")
    from emu_model.engines.torch_engine import TorchEngine

    return TorchEngine(checkpoint, device, network_size)
