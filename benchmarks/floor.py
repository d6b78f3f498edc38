"""The least time the arithmetic of a network takes on this machine."""

import time

from benchmarks.candidates import Setting

_SIZE = 2048
_REPEATS = 10


def count_macs(setting: Setting, part: str = '') -> float:
    """Multiply-adds up to the raw outputs, with folded heads, or of the part "backbone" alone."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from emu_model.checkpoint import load
    from emu_model.heads import fold

    network = fold(load(setting.checkpoint))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.get_submodule(part)(torch.zeros(1, 3, setting.height, setting.width))
    return counter.get_total_flops() / 2


def peak_macs_per_ms(precision: str) -> float:
    """The most multiply-adds a matrix product reaches here, the best of a few runs."""
    import torch

    dtype = {'fp32': torch.float32, 'bf16': torch.bfloat16}[precision]
    left, right = (torch.randn(_SIZE, _SIZE).to(dtype) for _ in range(2))
    best = float('inf')
    for _ in range(_REPEATS):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return _SIZE**3 / (1e3 * best)


def arithmetic_floor_ms(macs: float, precision: str) -> float:
    """Milliseconds that so many multiply-adds take at the peak."""
    return macs / peak_macs_per_ms(precision)
