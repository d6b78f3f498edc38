"""OpenVINO on the CPU, without PyTorch."""

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from io import BytesIO

import numpy as np
import onnx

from emu_model.batches import batch_of
from emu_model.engines.artefacts import cached
from emu_model.engines.decoder import Decoder
from emu_model.engines.engine import Engine
from emu_model.engines.openvino_runtime import core, ops, ov
from emu_model.engines.openvino_source import OpenVINOSource
from emu_model.engines.strips import StripPool, Worker
from emu_model.graphs.network import LEVELS, VERSION

_HINTS = {'fp32': 'f32', 'bf16': 'bf16', 'fp16': 'f16'}
_CAPABILITIES = {'fp32': 'FP32', 'bf16': 'BF16', 'fp16': 'FP16'}
_PRECISIONS = {ov.Type.f32: 'fp32', ov.Type.bf16: 'bf16', ov.Type.f16: 'fp16'}
_KEPT_SIZES = 4


class OpenVINOEngine(Engine):
    """Runs a checkpoint with OpenVINO on the CPU.

    The encoder and the projections of the heads' coarser levels are one compiled graph per input
    size; what follows runs in strips (emu_model.engines.strips).

    Args:
        checkpoint: A checkpoint file of a single network, or a file of emu_model.export.
        device: 'auto' or 'cpu'.
        network_size: (height, width) that frames are resized to; the checkpoint's input size by
            default.
        precision: 'auto', 'fp32', 'bf16' or 'fp16'; of the encoder and the heads, while maps are
            always made in fp32.
        threads: CPU threads; all that this process may use by default.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it cannot be used.
        ValueError: If the device is no CPU, it lacks the precision, or the checkpoint takes
            several samples.
    """

    name = 'openvino'

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        device: str = 'auto',
        network_size: tuple[int, int] | None = None,
        precision: str = 'auto',
        threads: int | None = None,
    ) -> None:
        if device not in ('auto', 'cpu'):
            raise ValueError(
                f"the engine 'openvino' runs on the CPU, not on '{device}': choose device 'cpu', "
                "or the engine 'torch_cuda' or 'onnxruntime'"
            )
        self.precision = self._choose_precision(precision)
        self._source = OpenVINOSource(checkpoint)
        super().__init__(self._source.info, network_size, self._source.size)
        self.device = 'cpu'
        self._pool = StripPool(threads)
        self._heads = self._source.heads()
        self._plan = lru_cache(_KEPT_SIZES)(self._make_plan)

    def close(self) -> None:
        """Free the compiled graphs and stop the threads."""
        self._plan.cache_clear()
        self._pool.close()

    def _infer(
        self, images: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        plan = self._plan(images.shape[1:3])
        maps = [plan.run(image, outputs, size) for image in images]
        return {name: batch_of([each[name] for each in maps]) for name in outputs}

    def _choose_precision(self, precision: str) -> str:
        if precision == 'auto':
            # OpenVINO's own choice is half precision where the CPU computes in it natively.
            return _PRECISIONS[core().get_property('CPU', 'INFERENCE_PRECISION_HINT')]
        capabilities = core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
        if _CAPABILITIES[precision] not in capabilities:
            raise ValueError(
                f"this CPU does not compute in {precision}: choose precision 'auto' or 'fp32'"
            )
        return precision

    def _make_plan(self, size: tuple[int, int]) -> '_Plan':
        return _Plan(self._encoder(size), self._heads, self._pool, self.precision)

    def _encoder(self, size: tuple[int, int]) -> ov.CompiledModel:
        settings = {
            'INFERENCE_PRECISION_HINT': _HINTS[self.precision],
            'INFERENCE_NUM_THREADS': self._pool.threads,
            'PERFORMANCE_HINT': 'LATENCY',
        }
        key = {
            'kind': 'openvino encoder',
            'checkpoint': self._source.digest,
            'graph': VERSION,
            'size': size,
            'settings': settings,
            'openvino': ov.__version__,
            'cpu': core().get_property('CPU', 'FULL_DEVICE_NAME'),
            'capabilities': sorted(core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')),
        }

        def compile_encoder() -> bytes:
            model = encoder_with_projections(self._source.model(), self._heads)
            model.reshape([1, *size, 3])
            stream = BytesIO()
            core().compile_model(model, 'CPU', settings).export_model(stream)
            return stream.getvalue()

        return cached(
            key,
            compile_encoder,
            lambda blob: core().import_model(BytesIO(blob), 'CPU', settings),
        )


def encoder_with_projections(model: ov.Model, heads: dict) -> ov.Model:
    """Cut a network's graph after the encoder and append the coarser levels' projections.

    Args:
        model: A graph of emu_model.graphs.network.
        heads: The folded heads by task.

    Returns:
        A graph with the finest feature (B, h, w, C) as first output, followed by the projections
        (B, h_l, w_l, hidden) of levels 1 to 3 for each head in turn.
    """
    named = {
        name: output
        for node in model.get_ordered_ops()
        for output in node.outputs()
        for name in output.get_names()
    }
    features = [named[f'feature_{level}'] for level in range(LEVELS)]
    outputs = [features[0]]
    for head in heads.values():
        for feature, matrix in list(zip(features, head.projections))[1:]:
            outputs.append(ops.matmul(feature, matrix, False, True).output(0))
    return ov.Model([ops.result(output) for output in outputs], model.get_parameters())


class _Plan:
    """Everything for frames of one size."""

    def __init__(
        self,
        encoder: ov.CompiledModel,
        heads: dict,
        pool: StripPool,
        precision: str,
    ) -> None:
        self._request = encoder.create_infer_request()
        self._outputs = len(encoder.outputs)
        sizes = [tuple(output.shape)[1:3] for output in encoder.outputs[:LEVELS]]
        compile_head, compile_tail = (
            partial(compile_strip, precision=each) for each in (precision, 'fp32')
        )
        self._decoder = Decoder(heads, sizes, compile_head, compile_tail, pool)

    def run(
        self, image: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """The maps of one frame (H, W, 3)."""
        image = np.ascontiguousarray(image[None])
        self._request.set_input_tensor(ov.Tensor(image, shared_memory=True))
        self._request.infer()
        feature, *projections = (
            self._request.get_output_tensor(index).data[0] for index in range(self._outputs)
        )
        return self._decoder.run(feature, projections, outputs, size)


def compile_strip(graph: onnx.ModelProto, count: int, precision: str) -> list[Worker]:
    """Workers that run a strip's graph, each on the one thread that calls it."""
    settings = {
        'INFERENCE_PRECISION_HINT': _HINTS[precision],
        'NUM_STREAMS': count,
        'INFERENCE_NUM_THREADS': count,
    }
    model = core().read_model(graph.SerializeToString(), b'')
    compiled = core().compile_model(model, 'CPU', settings)
    return [_Worker(compiled.create_infer_request()) for _ in range(count)]


class _Worker:
    def __init__(self, request: ov.InferRequest) -> None:
        self._request = request

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, value in enumerate(inputs):
            self._request.set_input_tensor(index, ov.Tensor(value, shared_memory=True))
        self._request.infer()
        return [tensor.data for tensor in self._request.output_tensors]
