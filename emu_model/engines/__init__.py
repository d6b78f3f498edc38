"""Engines: how a checkpoint is run. One file per runtime, one interface (engine.Engine)."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from emu_model.checkpoint import BUNDLED, read_info
from emu_model.engines.choice import EXPORTED_FOR, RUNTIMES, choose_engine, engine_class
from emu_model.engines.engine import PRECISIONS, Engine

__all__ = ['ENGINES', 'PRECISIONS', 'Engine', 'create_engine', 'import_runtime']

ENGINES = ('auto', *RUNTIMES)

_LOGGER = logging.getLogger(__name__)


def create_engine(
    checkpoint: str | os.PathLike = BUNDLED,
    engine: str = 'auto',
    device: str = 'auto',
    network_size: tuple[int, int] | None = None,
    precision: str = 'auto',
    providers: Sequence[str | tuple[str, dict]] | None = None,
) -> Engine:
    """Load a checkpoint and make it ready to run.

    Args:
        checkpoint: A checkpoint file, the folder of an ensemble, or a file of emu_model.export.
        engine: One of ENGINES; 'auto' picks by checkpoint, device and what is installed, and says
            why in `Engine.reason`.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'; 'auto' takes a GPU where there is one.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.
        precision: One of PRECISIONS; 'auto' is the fastest on the device of those that keep the
            maps as good as fp32 does.
        providers: Execution providers of ONNX Runtime, for that engine alone.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the checkpoint cannot be used.
        ModuleNotFoundError: If the engine's packages are missing; the message names the extra.
        ValueError: If the engine, device or precision is unknown or not there, or the engine
            cannot run this checkpoint.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"no precision '{precision}': choose of {', '.join(PRECISIONS)}")
    engine, reason = _choose(checkpoint, engine, device)
    options = {'precision': precision}
    if providers is not None:
        if engine != 'onnxruntime':
            raise ValueError(
                f"providers are for the engine 'onnxruntime', not '{engine}': choose that engine "
                'or leave them out'
            )
        options['providers'] = providers
    created = engine_class(engine)(checkpoint, device, network_size, **options)
    created.reason = reason
    _LOGGER.info(
        "engine '%s' on %s in %s: %s", created.name, created.device, created.precision, reason
    )
    return created


def import_runtime(checkpoint: str | os.PathLike, engine: str, device: str) -> None:
    """Import the modules that `create_engine` takes for a checkpoint, and nothing else.

    The arguments and errors are those of `create_engine`.
    """
    name, _ = _choose(checkpoint, engine, device)
    engine_class(name)


def _choose(checkpoint: str | os.PathLike, engine: str, device: str) -> tuple[str, str]:
    """The engine that is meant, and the reason in words."""
    if engine not in ENGINES:
        raise ValueError(f"no engine '{engine}': choose of {', '.join(ENGINES)}")
    suffix = Path(checkpoint).suffix
    if engine == 'auto':
        info = None if suffix in EXPORTED_FOR else read_info(checkpoint)
        return choose_engine(info, device, suffix)
    if engine not in EXPORTED_FOR.get(suffix, RUNTIMES):
        raise ValueError(
            f"the engine '{engine}' does not read '{checkpoint}': files of emu_model.export that "
            f'end in {suffix} are for {" and ".join(EXPORTED_FOR[suffix])}'
        )
    return engine, 'asked for'
