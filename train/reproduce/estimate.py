"""How long trainings and evaluations take, relative to each other.

The unit is a training step of SegDepthFormer-B0 on a batch of eight synthetic frames at 96x128. At
that size the figures were measured; at others they are guesses that the first finished runs scale.
"""

import torch

from train.reproduce.settings import Settings

_STEP_OF_ONE_HEAD = 0.8
_STEP_OF_A_TEACHERS_MEMBER = 0.27
_FRAME_OF_METRICS = 0.5
_FRAME_OF_ONE_SAMPLE = 0.035
_START = 25.0
_SECONDS_PER_UNIT = 0.25  # on one CPU core
_BACKBONES = {'mit_b1': 2.0, 'mit_b2': 4.0, 'mit_b3': 6.0, 'mit_b4': 8.0, 'mit_b5': 10.0}


def seconds_per_unit() -> float | None:
    """A first guess at the seconds of the unit; None where nothing is known, on a GPU."""
    return None if torch.cuda.is_available() else _SECONDS_PER_UNIT


def seconds_per_step(settings: Settings) -> float | None:
    """Likewise, where costs do not grow with the frames: None for any size but the usual one."""
    usual = settings.data == 'synthetic' and settings.scale.frame_size is None
    return seconds_per_unit() if usual else None


def training_cost(
    settings: Settings,
    network: str,
    backbone: str,
    steps: int,
    *,
    samples: int = 1,
    teachers: int = 0,
) -> float:
    """Cost of a training run.

    Args:
        settings: Of the experiment.
        network: One of emu_model.tasks.NETWORKS.
        backbone: timm name of the encoder.
        steps: Training steps.
        samples: Samples that one prediction is made of.
        teachers: Networks that each batch is shown to besides.
    """
    heads = 1.0 if network == 'SegDepthFormer' else _STEP_OF_ONE_HEAD
    step = heads + teachers * _STEP_OF_A_TEACHERS_MEMBER
    # The last validation is followed by that of the finished network.
    frames = (settings.scale.validations + 1) * (settings.scale.validation_frames or 0)
    validation = frames * (_FRAME_OF_METRICS + samples * _FRAME_OF_ONE_SAMPLE)
    return _START + _BACKBONES.get(backbone, 1.0) * steps * step + validation


def evaluation_cost(settings: Settings, backbone: str, samples: int) -> float:
    """Cost of an evaluation on test frames and shifted ones."""
    normal = settings.scale.test_frames or 0
    shifted = (settings.scale.shifted_frames or 0) * len(settings.shifts.get(settings.data, ()))
    sample = samples * _FRAME_OF_ONE_SAMPLE * _BACKBONES.get(backbone, 1.0)
    # The figures are made twice, for valid and for all pixels.
    return _START + normal * (2 * _FRAME_OF_METRICS + sample) + shifted * sample
