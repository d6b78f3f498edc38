"""Where the depth of a network is taken for reliable: the limits that parameters set."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emu_model.checkpoint import CheckpointInfo
from emu_model.prediction import Prediction


class DepthLimitError(ValueError):
    """A limit that cannot be had of this checkpoint; the message says what to set instead."""


@dataclass(frozen=True)
class DepthLimits:
    """The uncertainty up to which a pixel's depth is reliable; infinite where there is no limit.

    Attributes:
        std_m: Standard deviation of the depth, in metres for the camera.
        std_ratio: Standard deviation over depth.
        entropy_nats: Entropy of the class.
    """

    std_m: float = math.inf
    std_ratio: float = math.inf
    entropy_nats: float = math.inf

    @property
    def needs(self) -> tuple[str, ...]:
        """The maps, beside the depth and its standard deviation, that have a limit."""
        return ('entropy',) if self.entropy_nats < math.inf else ()

    def reliable_depth(self, prediction: Prediction) -> np.ndarray:
        """The depth, float32 (H, W), with NaN where one of its uncertainties is over its limit.

        Args:
            prediction: With depth and depth_std in metres for the camera, and with entropy if
                that has a limit.
        """
        depth = prediction.depth
        limit_m = np.minimum(np.float32(self.std_m), depth * np.float32(self.std_ratio))
        kept = prediction.depth_std <= limit_m
        if self.entropy_nats < math.inf:
            kept &= prediction.entropy <= self.entropy_nats
        return np.where(kept, depth, np.float32(np.nan))


def depth_limits(
    parameter: Callable[[str], float], info: CheckpointInfo, depth_scale: float
) -> DepthLimits:
    """The limits that the node's parameters ask for; of those for one thing, the strictest.

    Args:
        parameter: Gives the value of a parameter of the node.
        info: The checkpoint's; it knows the quantiles of its uncertainties.
        depth_scale: What its depth is multiplied by for the camera; its quantiles are too.

    Raises:
        DepthLimitError: If the checkpoint lacks a quantile that is asked for, has no classes and
            the entropy is limited, or was not trained to know the standard deviation and that is.
    """
    std_limits = ('max_depth_std_m', 'max_depth_std_ratio', 'max_depth_std_quantile')
    if 'depth_std' not in info.trained_uncertainties and any(map(parameter, std_limits)):
        raise DepthLimitError(
            'the standard deviation of the depth is limited and the checkpoint, trained with the '
            f"depth loss '{info.training.get('depth_loss')}', does not know it: set "
            f'{", ".join(std_limits)} to 0, and limit the entropy'
        )
    std_m = [
        parameter('max_depth_std_m'),
        depth_scale * _quantile(parameter, info, 'depth_std'),
    ]
    entropy_nats = [parameter('max_entropy_nats'), _quantile(parameter, info, 'entropy')]
    if any(entropy_nats) and 'semantic' not in info.tasks:
        raise DepthLimitError(
            'the entropy of the class is limited and the checkpoint has no classes: set '
            'max_entropy_nats and max_entropy_quantile to 0'
        )
    return DepthLimits(
        _strictest(std_m), _strictest([parameter('max_depth_std_ratio')]), _strictest(entropy_nats)
    )


def _strictest(limits: list[float]) -> float:
    """The lowest limit that is not 0, which stands for none."""
    return min((limit for limit in limits if limit), default=math.inf)


def _quantile(parameter: Callable[[str], float], info: CheckpointInfo, output: str) -> float:
    """The uncertainty that the asked-for share of pixels is below on validation data.

    Linear between the quantiles that the checkpoint has; 0 where none is asked for.
    """
    name = f'max_{output}_quantile'
    quantile = parameter(name)
    if not quantile:
        return 0.0
    values = info.normal_uncertainty.get(output, {}).get('pixel', {})
    known = sorted((float(share), value) for share, value in values.items())
    if not known:
        raise DepthLimitError(
            f'{name} is {quantile} and the checkpoint has no quantiles of {output}: set it to 0, '
            'and a limit of another kind'
        )
    shares, limits = zip(*known)
    if not shares[0] <= quantile <= shares[-1]:
        raise DepthLimitError(
            f'{name} is {quantile} and the checkpoint knows quantiles of {output} from '
            f'{shares[0]} to {shares[-1]}: set it to one of these, or to 0'
        )
    return float(np.interp(quantile, shares, limits))
