"""What the inference benchmark compares: each candidate makes a function to time."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from emu_model.checkpoint import CheckpointInfo, read_info
from emu_model.engines import create_engine
from emu_model.engines.choice import gpu_count, is_installed
from emu_model.processor import core_count

WITHOUT_UNCERTAINTY = ('classes', 'depth')
FOUR_MAPS = ('classes', 'entropy', 'depth', 'depth_std')
MEMBERS = 10


@dataclass(frozen=True)
class Setting:
    """The network and frame that are measured.

    Attributes:
        checkpoint: A SegDepthFormer with random weights.
        backbone: Its encoder.
        height: Of the frame and the maps.
        width: Of the frame and the maps.
        classes: Of the semantic head.
    """

    checkpoint: Path
    backbone: str
    height: int
    width: int
    classes: int

    @staticmethod
    def of(options: argparse.Namespace, checkpoint: Path) -> 'Setting':
        """What the options of `add_setting_options` say."""
        size = options.height, options.width
        return Setting(checkpoint, options.backbone, *size, options.classes)

    @property
    def threads(self) -> int:
        """CPU threads of every candidate, as engines choose them: taskset limits them."""
        return core_count()

    def arguments(self) -> dict[str, object]:
        """As command line arguments, for a process of its own."""
        return vars(self).copy()

    def frame(self) -> np.ndarray:
        """A frame of noise, uint8 (H, W, 3); the time does not depend on what it shows."""
        return np.random.default_rng(0).integers(0, 256, (self.height, self.width, 3), np.uint8)


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """The options that a Setting is made of."""
    parser.add_argument('--backbone', default='mit_b2')
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--classes', type=int, default=40)


@dataclass(frozen=True)
class Candidate:
    """Something to measure.

    Attributes:
        make: Prepares it and returns the function to time.
        engine: The runtime; empty for what is no engine.
        precision: What it computes in.
        encoder_alone: Whether it is the encoder of its engine.
        runs_here: Whether this machine can run it.
    """

    make: Callable[[Setting], Callable[[], object]]
    engine: str = ''
    precision: str = 'fp32'
    encoder_alone: bool = False
    runs_here: Callable[[], bool] = field(default=lambda: True)


def make_checkpoint(setting: Setting) -> None:
    """Write the network of a setting, with random weights."""
    import torch

    from emu_model import SegDepthFormer, checkpoint

    torch.manual_seed(0)
    network = SegDepthFormer(setting.backbone, setting.classes)
    info = CheckpointInfo(
        'SegDepthFormer',
        setting.backbone,
        network.head_width,
        class_names=tuple(f'class {index}' for index in range(setting.classes)),
        palette=((0, 0, 0),) * setting.classes,
    )
    checkpoint.save(network, info, setting.checkpoint)


def _torch_maps(setting: Setting, network) -> Callable[[], object]:
    """From a frame to maps with a plain PyTorch network and the plain form of the maps."""
    import torch

    from emu_model.maps import predict_maps

    torch.set_num_threads(setting.threads)
    frame = torch.from_numpy(setting.frame())[None]
    size = (setting.height, setting.width)
    info = read_info(setting.checkpoint)
    mean, std = (255 * torch.tensor(v).view(1, 3, 1, 1) for v in (info.mean, info.std))

    @torch.inference_mode()
    def run() -> dict[str, np.ndarray]:
        image = (frame.permute(0, 3, 1, 2).float() - mean) / std
        maps = predict_maps(network(image), FOUR_MAPS, size)
        return {name: value.numpy() for name, value in maps.items()}

    return run


def plain_network(setting: Setting) -> Callable[[], object]:
    """Both heads in their plain form, PyTorch eager, fp32."""
    from emu_model.checkpoint import load

    return _torch_maps(setting, load(setting.checkpoint))


def plain_ensemble(setting: Setting) -> Callable[[], object]:
    """Ten plain networks and their predictive distribution."""
    import torch

    from emu_model.checkpoint import load
    from emu_model.sampling import Ensemble, predict_distribution

    torch.set_num_threads(setting.threads)
    ensemble = Ensemble([load(setting.checkpoint) for _ in range(MEMBERS)]).eval()
    image = torch.randn(1, 3, setting.height, setting.width)

    @torch.inference_mode()
    def run() -> object:
        size = (setting.height, setting.width)
        return predict_distribution(ensemble, image, size).maps(FOUR_MAPS)

    return run


def transformers_segformer(setting: Setting) -> Callable[[], object]:
    """Transformers' SegFormer of the same size with a second decode head for depth."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    from emu_model.backbones.mit import VARIANTS
    from emu_model.checkpoint import read_info

    depths, widths = VARIANTS[setting.backbone]
    hidden = read_info(setting.checkpoint).head_width

    def model(labels: int) -> SegformerForSemanticSegmentation:
        return SegformerForSemanticSegmentation(
            SegformerConfig(
                depths=list(depths),
                hidden_sizes=list(widths),
                decoder_hidden_size=hidden,
                num_labels=labels,
            )
        ).eval()

    semantic, depth = model(setting.classes), model(2)

    def network(image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = semantic.segformer(image, output_hidden_states=True).hidden_states[-4:]
        return {
            'semantic': semantic.decode_head(features),
            'depth': depth.decode_head(features),
        }

    return _torch_maps(setting, network)


def engine(
    setting: Setting, name: str, precision: str, outputs: tuple[str, ...] = FOUR_MAPS
) -> Callable[[], object]:
    """An engine of this package."""
    if name == 'torch':
        import torch

        torch.set_num_threads(setting.threads)
    device = 'cuda' if name == 'torch_cuda' else 'cpu'
    size = (setting.height, setting.width)
    made = create_engine(setting.checkpoint, name, device, size, precision)
    frame = setting.frame()
    return lambda: made.predict(frame, outputs)


def torch_encoder(setting: Setting) -> Callable[[], object]:
    """The encoder alone in PyTorch eager."""
    import torch

    from emu_model.checkpoint import load

    torch.set_num_threads(setting.threads)
    encoder = load(setting.checkpoint).backbone
    image = torch.randn(1, 3, setting.height, setting.width)
    return torch.inference_mode()(lambda: encoder(image))


def openvino_encoder(setting: Setting, precision: str) -> Callable[[], object]:
    """The encoder alone in OpenVINO, from the uint8 frame to four feature maps."""
    from emu_model.engines.openvino_runtime import core
    from emu_model.graphs.network import build_network, encoder_of

    graph = encoder_of(build_network(setting.checkpoint))
    model = core().read_model(graph.SerializeToString(), b'')
    model.reshape([1, setting.height, setting.width, 3])
    hint = {'fp32': 'f32', 'bf16': 'bf16', 'fp16': 'f16'}[precision]
    compiled = core().compile_model(
        model,
        'CPU',
        {
            'INFERENCE_PRECISION_HINT': hint,
            'INFERENCE_NUM_THREADS': setting.threads,
            'PERFORMANCE_HINT': 'LATENCY',
        },
    )
    request, frame = compiled.create_infer_request(), setting.frame()[None]
    return lambda: request.infer([frame], share_inputs=True, share_outputs=True)


def onnxruntime_encoder(setting: Setting) -> Callable[[], object]:
    """The encoder alone in ONNX Runtime on the CPU."""
    import onnxruntime

    from emu_model.graphs.network import build_network, encoder_of

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    session = onnxruntime.InferenceSession(
        encoder_of(build_network(setting.checkpoint)).SerializeToString(),
        options,
        providers=['CPUExecutionProvider'],
    )
    frame = setting.frame()[None]
    return lambda: session.run(None, {'image': frame})


def _has_precision(precision: str) -> bool:
    if not is_installed('openvino'):
        return False
    from emu_model.engines.openvino_runtime import core

    capabilities = core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
    return precision.upper() in capabilities


def _openvino_candidates() -> dict[str, Candidate]:
    candidates = {}
    for precision in ('fp32', 'bf16', 'fp16'):
        options = {
            'engine': 'openvino',
            'precision': precision,
            'runs_here': partial(_has_precision, precision),
        }
        named = {
            '': partial(engine, name='openvino', precision=precision),
            ', no uncertainty': partial(
                engine, name='openvino', precision=precision, outputs=WITHOUT_UNCERTAINTY
            ),
        }
        for suffix, make in named.items():
            candidates[f'openvino {precision}{suffix}'] = Candidate(make, **options)
        candidates[f'openvino {precision}, encoder alone'] = Candidate(
            partial(openvino_encoder, precision=precision), encoder_alone=True, **options
        )
    return candidates


def _onnxruntime_here() -> bool:
    return is_installed('onnxruntime')


CANDIDATES = {
    'plain network': Candidate(plain_network, 'torch'),
    'transformers SegFormer': Candidate(transformers_segformer),
    'plain ensemble of ten': Candidate(plain_ensemble),
    'torch': Candidate(partial(engine, name='torch', precision='fp32'), 'torch'),
    'torch, encoder alone': Candidate(torch_encoder, 'torch', encoder_alone=True),
    'onnxruntime': Candidate(
        partial(engine, name='onnxruntime', precision='fp32'),
        'onnxruntime',
        runs_here=_onnxruntime_here,
    ),
    'onnxruntime, encoder alone': Candidate(
        onnxruntime_encoder, 'onnxruntime', encoder_alone=True, runs_here=_onnxruntime_here
    ),
    **_openvino_candidates(),
    'torch_cuda fp16': Candidate(
        partial(engine, name='torch_cuda', precision='fp16'),
        'torch_cuda',
        'fp16',
        runs_here=lambda: gpu_count() > 0,
    ),
}
"""Everything that can be measured, by name."""
