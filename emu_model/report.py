"""What every evaluation reports of a network, with the keys that docs/evaluation.md describes.

The evaluation on data sets and that of recordings write the same; neither needs PyTorch for it but
to count multiply-accumulates.
"""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from emu_model.checkpoint import CheckpointInfo, ensemble_members
from emu_model.engines import Engine

if TYPE_CHECKING:
    from emu_model.sampling import Samples

_NO_PARAMETERS = ('running_mean', 'running_var', 'num_batches_tracked')
"""Tensors of a batch norm that are stored beside its parameters."""


def evaluation_report(
    info: CheckpointInfo,
    figures: Mapping[str, dict | None],
    *,
    shift_auroc: Mapping[str, dict[str, float]] | None,
    inference_ms: Mapping[str, Any],
    parameters: int | None,
    macs: int | None,
) -> dict[str, Any]:
    """The JSON object of an evaluation.

    Args:
        info: Of the checkpoint.
        figures: As emu_model.evaluation gives them.
        shift_auroc: {uncertainty: {shift: AUROC}}; None where there were no shifts.
        inference_ms: As `describe_times` gives it.
        parameters: Of the network, all members together; None where they are not known.
        macs: Multiply-accumulates of one prediction; None where they were not counted.
    """
    run = info.training
    return {
        'network': info.network,
        'method': 'ensemble' if info.method == 'ensemble' else run.get('recipe', info.method),
        'backbone': info.backbone,
        'depth_loss': run.get('depth_loss') if 'depth' in info.tasks else None,
        'seed': run.get('seed'),
        **figures,
        'shift_auroc': shift_auroc,
        'inference_ms': dict(inference_ms),
        'parameters': parameters,
        'macs': macs,
    }


def describe_times(
    engine: Engine, times: Sequence[float], size: tuple[int, int] | None, batch: int = 1
) -> dict[str, Any]:
    """Median and quartiles of the milliseconds of frames, with what they were measured on.

    Args:
        engine: What was timed.
        times: Milliseconds of each frame; where there is none, the figures are None.
        size: (height, width) of the network's input; None where frames were of any size.
        batch: Frames at a time.
    """
    quartiles = [float(bound) for bound in np.quantile(times, (0.25, 0.75))] if times else None
    return {
        'median': statistics.median(times) if times else None,
        'quartiles': quartiles,
        'engine': engine.name,
        'device': engine.device,
        'precision': engine.precision,
        'batch': batch,
        'size': list(size) if size else None,
    }


def count_parameters(checkpoint: str | os.PathLike) -> int:
    """Parameters of a checkpoint, all members of an ensemble together, without loading them."""
    path = Path(checkpoint)
    if path.is_dir():
        return sum(count_parameters(member) for member in ensemble_members(path))
    with safe_open(path, framework='numpy') as file:
        names = file.keys()
        shapes = [
            file.get_slice(name).get_shape() for name in names if not name.endswith(_NO_PARAMETERS)
        ]
    return sum(map(math.prod, shapes))


def count_macs(network: 'Samples', size: tuple[int, int]) -> int:
    """Multiply-accumulates of one prediction, all samples together.

    The paper's tables call these FLOPs. Interpolation, norms and activations are not counted. A
    network on the device 'meta' computes nothing.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    device = next(network.parameters()).device
    image = torch.zeros(1, 3, *size, device=device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for _ in network.samples(image):
            pass
    return counter.get_total_flops() // 2
