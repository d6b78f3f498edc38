"""PyTorch on a CUDA GPU in half precision: one CUDA graph from uploaded frame to fetched maps.

The parts that run on a CPU too are tested there (the half-precision network, the Triton kernel in
its interpreter); the whole has not been run on a GPU yet, so 'auto' does not choose it.
"""

import os
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from emu_model.checkpoint import CheckpointInfo, load
from emu_model.engines.engine import Engine
from emu_model.engines.graph_source import require_single
from emu_model.engines.torch_engine import find_device
from emu_model.engines.triton_tail import fused_maps
from emu_model.heads import fold

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
_KEPT_GRAPHS = 8
_WARM_UP_RUNS = 3


class TorchCudaEngine(Engine):
    """Runs a checkpoint on a CUDA GPU with CUDA graphs.

    Args:
        checkpoint: A checkpoint file of a single network.
        device: 'auto', 'cuda' or 'cuda:N'.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.
        precision: 'auto' (fp16), 'fp32', 'bf16' or 'fp16'; maps are always made in fp32.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ValueError: If there is no such GPU, it lacks the precision, or the checkpoint takes
            several samples.
    """

    name = 'torch_cuda'

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        device: str = 'auto',
        network_size: tuple[int, int] | None = None,
        precision: str = 'auto',
    ) -> None:
        self._device = find_device(device)
        if self._device.type != 'cuda':
            raise ValueError(
                f"the engine 'torch_cuda' needs a CUDA GPU and device '{device}' is none here: "
                "choose the engine 'openvino' or 'torch'"
            )
        self.precision = 'fp16' if precision == 'auto' else precision
        if self.precision == 'bf16' and torch.cuda.get_device_capability(self._device) < (8, 0):
            raise ValueError(
                f'{torch.cuda.get_device_name(self._device)} does not compute in bf16: choose '
                "precision 'fp16' or 'auto'"
            )
        network = load(checkpoint)
        require_single(network.info)
        super().__init__(network.info, network_size)
        self.device = str(self._device)
        frame_network = FrameNetwork(network, network.info, DTYPES[self.precision])
        self._network = frame_network.to(self._device)
        self._graph = lru_cache(_KEPT_GRAPHS)(self._capture)

    def release_memory(self) -> None:
        """Free the graphs, which are captured again when needed, and the GPU memory they hold."""
        self._graph.cache_clear()
        torch.cuda.empty_cache()

    def close(self) -> None:
        """Free the graphs and the weights, and the GPU memory they were in."""
        self._network = None
        self.release_memory()

    def _infer(
        self, images: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        return self._graph(images.shape, outputs, tuple(size)).run(images)

    def _capture(self, shape, outputs: tuple[str, ...], size: tuple[int, int]) -> '_FrameGraph':
        with torch.inference_mode(), torch.cuda.device(self._device):
            return _FrameGraph(self._network, self._device, shape, outputs, size)


class FrameNetwork(nn.Module):
    """A network with folded heads that takes camera frames and computes in one precision.

    Args:
        network: A single network (emu_model.networks); its heads are folded in place.
        info: Its checkpoint's.
        dtype: What to compute in.
    """

    def __init__(self, network: nn.Module, info: CheckpointInfo, dtype: torch.dtype) -> None:
        super().__init__()
        # Convolutions of half precision are fastest with channels last.
        self._network = fold(network).to(dtype=dtype, memory_format=torch.channels_last)
        for head in self._network.heads.values():
            head.keep_outputs_exact()
        self._dtype = dtype
        for name, values in (('mean', info.mean), ('std', info.std)):
            self.register_buffer(name, 255 * torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Frames, uint8 (B, H, W, 3), to raw outputs by task, (B, C, h, w)."""
        image = (frames.permute(0, 3, 1, 2).float() - self.mean) / self.std
        return self._network(image.to(self._dtype))


class _FrameGraph:
    """Upload, network, maps and download of one input shape, as one CUDA graph.

    Args:
        network: On the GPU.
        device: The GPU.
        shape: (B, H, W, 3) of the frames.
        outputs: The maps wanted.
        size: (height, width) of the maps.
    """

    def __init__(
        self,
        network: FrameNetwork,
        device: torch.device,
        shape: tuple[int, ...],
        outputs: tuple[str, ...],
        size: tuple[int, int],
    ) -> None:
        self._frames = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        on_device = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._stream = torch.cuda.Stream(device)

        def compute() -> dict[str, Tensor]:
            on_device.copy_(self._frames, non_blocking=True)
            return fused_maps(network(on_device), outputs, size)

        # Compiles kernels and lets cuDNN and cuBLAS allocate, neither of which can be captured.
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP_RUNS):
                maps = compute()
        self._stream.synchronize()
        self._maps = {
            name: torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
            for name, value in maps.items()
        }
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            for name, value in compute().items():
                self._maps[name].copy_(value, non_blocking=True)

    def run(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """The maps of frames (B, H, W, 3)."""
        np.copyto(self._frames.numpy(), frames)
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        # The pinned buffers are overwritten by the next frame; what is returned is not.
        return {name: value.numpy().copy() for name, value in self._maps.items()}
