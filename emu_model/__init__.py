"""EMUFormer as a PyTorch library: networks, uncertainty and fast engines.

Nothing heavy is imported until it is used, so that an engine which needs no PyTorch starts
without it.
"""

import importlib

_HOME = {
    'load': 'emu_model.checkpoint',
    'create_engine': 'emu_model.engines',
    'Prediction': 'emu_model.prediction',
    'SegFormer': 'emu_model.networks',
    'DepthFormer': 'emu_model.networks',
    'SegDepthFormer': 'emu_model.networks',
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'emu_model' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
