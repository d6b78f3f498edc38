"""Which engine a checkpoint runs on, and why; imports no runtime that it can do without."""

import ctypes
import importlib
import importlib.util
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo
from emu_model.engines.device import parse_device


@dataclass(frozen=True)
class Runtime:
    """Where an engine lives and what it takes.

    Attributes:
        location: Its module and class.
        packages: What has to be installed.
        extra: The extra of this distribution that installs it.
    """

    location: tuple[str, str]
    packages: tuple[str, ...]
    extra: str


_FOLDER = 'emu_model.engines'
RUNTIMES = {
    'torch': Runtime((f'{_FOLDER}.torch_engine', 'TorchEngine'), ('torch', 'timm'), 'torch'),
    'torch_cuda': Runtime(
        (f'{_FOLDER}.torch_cuda_engine', 'TorchCudaEngine'), ('torch', 'timm', 'triton'), 'torch'
    ),
    'openvino': Runtime(
        (f'{_FOLDER}.openvino_engine', 'OpenVINOEngine'), ('openvino', 'onnx'), 'openvino'
    ),
    'onnxruntime': Runtime(
        (f'{_FOLDER}.onnxruntime_engine', 'OnnxRuntimeEngine'), ('onnxruntime', 'onnx'), 'onnx'
    ),
}
"""The engines by name."""

EXPORTED_FOR = {'.onnx': ('openvino', 'onnxruntime'), '.xml': ('openvino',)}
"""The engines that read the files of emu_model.export, by suffix."""


def choose_engine(info: CheckpointInfo | None, device: str, suffix: str = '') -> tuple[str, str]:
    """The engine for a checkpoint on a device, and the reason in words.

    Args:
        info: What the checkpoint says of itself; None for a file of emu_model.export.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        suffix: Of the file.

    Raises:
        ValueError: If there is no such device.
        ModuleNotFoundError: If no runtime is installed that could run it.
    """
    kind, _ = parse_device(device)
    if suffix == '.xml':
        return 'openvino', "the file is in OpenVINO's own format"
    if info is not None and info.method != 'single':
        return 'torch', f"'{info.method}' takes several samples, which only PyTorch runs"
    if info is not None and is_installed('torch'):
        # Where there is no GPU at all, PyTorch is the one to say so.
        if kind == 'cuda' and (_torch_sees_a_gpu() or not gpu_count()):
            return 'torch', 'PyTorch runs on the GPU'
        if kind == 'auto' and gpu_count() > 0 and _torch_sees_a_gpu():
            return 'torch', 'there is a GPU, and PyTorch runs on it'
    if kind != 'cuda' and is_installed('openvino'):
        return 'openvino', 'OpenVINO is installed and the fastest on a CPU'
    if is_installed('onnxruntime'):
        without = 'OpenVINO runs on the CPU only' if kind == 'cuda' else 'OpenVINO is not'
        return 'onnxruntime', f'ONNX Runtime is installed and {without}'
    if info is not None and is_installed('torch'):
        return 'torch', 'neither OpenVINO nor ONNX Runtime is installed'
    raise ModuleNotFoundError(
        'no runtime is installed that could run the network: install one of the extras '
        'emuformer_ros[openvino], emuformer_ros[onnx] or emuformer_ros[torch]'
    )


def engine_class(name: str) -> type:
    """The class of an engine; this imports its runtime.

    Raises:
        ModuleNotFoundError: If a package it takes is missing; the message names the extra.
    """
    runtime = RUNTIMES[name]
    missing = [package for package in runtime.packages if not _has_package(package)]
    if missing:
        raise ModuleNotFoundError(
            f"the engine '{name}' needs {' and '.join(missing)}, not installed here: install the "
            f'extra emuformer_ros[{runtime.extra}]'
        )
    module, attribute = runtime.location
    return getattr(importlib.import_module(module), attribute)


def is_installed(name: str) -> bool:
    """Whether all packages of an engine can be imported."""
    return all(_has_package(package) for package in RUNTIMES[name].packages)


def gpu_count() -> int:
    """CUDA GPUs that the driver sees; 0 without a driver."""
    try:
        driver = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _torch_sees_a_gpu() -> bool:
    """Whether PyTorch is a build for CUDA; imports it."""
    import torch

    return torch.cuda.is_available()


def _has_package(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that was put in place without a spec
        return True
