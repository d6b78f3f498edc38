"""PyTorch, eager and fp32; the one engine for networks that take several samples."""

import os

import numpy as np
import torch

from emu_model.checkpoint import load
from emu_model.engines.device import parse_device
from emu_model.engines.engine import Engine
from emu_model.heads import fold
from emu_model.maps import predict_maps
from emu_model.sampling import predict_distribution
from emu_model.tasks import EPISTEMIC_OUTPUTS


class TorchEngine(Engine):
    """Runs a checkpoint with plain PyTorch on the CPU or a CUDA GPU.

    Args:
        checkpoint: A checkpoint file, or the folder of an ensemble.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'; 'auto' takes a GPU where there is one.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.
        precision: 'auto' or 'fp32'.

    Raises:
        ValueError: If the device is unknown or not there, or the precision is another.
    """

    name = 'torch'
    precision = 'fp32'

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        device: str = 'auto',
        network_size: tuple[int, int] | None = None,
        precision: str = 'auto',
    ) -> None:
        if precision not in ('auto', 'fp32'):
            raise ValueError(
                f"the engine 'torch' computes in fp32, not in {precision}: choose precision "
                "'auto', or the engine 'openvino' or 'torch_cuda'"
            )
        self._device = find_device(device)
        network = load(checkpoint)
        super().__init__(network.info, network_size)
        self.device = str(self._device)
        self._network = fold(network).to(self._device)
        self._mean, self._std = (
            255 * torch.tensor(values, device=self._device).view(1, 3, 1, 1)
            for values in (self.info.mean, self.info.std)
        )

    def seed(self, number: int) -> None:
        """Start PyTorch's random numbers anew, on all devices of this process."""
        torch.manual_seed(number)

    def release_memory(self) -> None:
        """Give back the GPU memory that PyTorch keeps for later frames."""
        if self._device.type == 'cuda':
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Free the weights, and the GPU memory they were in."""
        self._network = None
        self.release_memory()

    @torch.inference_mode()
    def _infer(
        self, images: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
        image = (pixels.permute(0, 3, 1, 2).float() - self._mean) / self._std
        if self.info.method == 'single':
            maps = predict_maps(self._network(image), outputs, size)
        else:
            epistemic = not set(outputs).isdisjoint(EPISTEMIC_OUTPUTS.values())
            distribution = predict_distribution(self._network, image, size, epistemic=epistemic)
            maps = distribution.maps(outputs)
        return {name: value.cpu().numpy() for name, value in maps.items()}


def find_device(device: str) -> torch.device:
    """The PyTorch device of a name; 'auto' is a GPU where there is one.

    Raises:
        ValueError: If the name is unknown, or there is no such GPU.
    """
    kind, index = parse_device(device)
    if kind == 'cpu' or (kind == 'auto' and not torch.cuda.is_available()):
        return torch.device('cpu')
    found = torch.cuda.device_count()
    if index >= found:
        raise ValueError(
            f"device '{device}' was asked for, but PyTorch sees {found or 'no'} CUDA GPU"
            f"{'s' if found > 1 else ''}: use device 'cpu' or 'auto', or install the driver and a "
            'CUDA build of PyTorch'
        )
    return torch.device('cuda', index)
