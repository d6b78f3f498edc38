"""A whole network as one ONNX graph: camera frame in, raw outputs of the folded heads out."""

import os
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.utils import Extractor
from safetensors import safe_open

from emu_model.checkpoint import METADATA_KEY, CheckpointError, CheckpointInfo, read_info
from emu_model.folding import FoldedHead, fold_head
from emu_model.graphs.builder import GraphBuilder
from emu_model.graphs.mit import MiTGraph
from emu_model.graphs.traced import add_traced, needs_tracing
from emu_model.mit_variants import VARIANTS, sizes_of

VERSION = 2
"""Of the graph that `build_network` makes; part of the name of what is kept from it."""

LEVELS = 4
"""Feature maps of an encoder; in the graph they are the tensors feature_0 (finest) to feature_3,
(B, h, w, C)."""

_HEAD_FIELDS = ('bias', 'classifier', 'classifier_bias')


def build_network(
    checkpoint: str | os.PathLike, size: tuple[int, int] | None = None
) -> onnx.ModelProto:
    """The network of a checkpoint as an ONNX model.

    Input `image` is uint8 RGB (B, H, W, 3); the outputs are the tasks' raw outputs, float32
    (B, C, h, w), as of emu_model.networks. The metadata is the checkpoint's. MiT is built without
    PyTorch; other encoders are traced by it.

    Args:
        checkpoint: A checkpoint file.
        size: (height, width) of the image; any by default.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is no checkpoint, or its encoder takes frames of one size only
            and `size` is not given.
        ModuleNotFoundError: If the encoder has to be traced and PyTorch is missing.
    """
    info = read_info(checkpoint)
    builder = GraphBuilder(info.network)
    image = builder.input('image', 'uint8', ['batch', *(size or ('height', 'width')), 3])
    normalised = _normalise(builder, image, info)
    if not needs_tracing(info):
        encoder = _read_weights(checkpoint, 'backbone.')
        _check_variant(encoder, info, checkpoint)
        features = MiTGraph(builder, encoder, info.backbone_options).add(normalised)
    else:
        features = add_traced(builder, checkpoint, normalised, size)
    features = [
        builder.add('Identity', feature, output=f'feature_{level}')
        for level, feature in enumerate(features)
    ]
    for task, head in read_heads(checkpoint, info).items():
        _add_head(builder, task, head, features)
    return builder.model({METADATA_KEY: info.to_json()})


def encoder_of(network: onnx.ModelProto) -> onnx.ModelProto:
    """The part of a `build_network` graph that ends with the feature maps, its outputs."""
    features = [
        onnx.helper.make_tensor_value_info(f'feature_{level}', onnx.TensorProto.FLOAT, None)
        for level in range(LEVELS)
    ]
    described = onnx.ModelProto()
    described.CopyFrom(network)
    described.graph.value_info.extend(features)
    return Extractor(described).extract_model(['image'], [feature.name for feature in features])


def read_heads(checkpoint: str | os.PathLike, info: CheckpointInfo) -> dict[str, FoldedHead]:
    """The folded head of each task of a checkpoint, without PyTorch."""
    return {task: fold_head(_read_weights(checkpoint, f'heads.{task}.')) for task in info.tasks}


def read_network_info(model: onnx.ModelProto) -> CheckpointInfo:
    """What the checkpoint said of itself that a model was built from.

    Raises:
        ValueError: If the model was not made by `build_network`.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in metadata:
        raise ValueError('it has no EMUFormer metadata')
    return CheckpointInfo.from_json(metadata[METADATA_KEY])


def frame_size_of(model: onnx.ModelProto) -> tuple[int, int] | None:
    """(height, width) of the image that a `build_network` graph takes; None for any."""
    _, height, width, _ = model.graph.input[0].type.tensor_type.shape.dim
    return (height.dim_value, width.dim_value) if height.dim_value else None


def head_names(task: str) -> dict[str, str]:
    """Names of the constants that hold a folded head in the graph, by what they are."""
    fields = [*(f'projection_{level}' for level in range(LEVELS)), *_HEAD_FIELDS]
    return {field: f'{task}.{field}' for field in fields}


def head_from_constants(task: str, constants: Mapping[str, np.ndarray]) -> FoldedHead:
    """The folded head of a task, from the graph's constants by name."""
    arrays = {
        field: np.asarray(constants[name], np.float32) for field, name in head_names(task).items()
    }
    return FoldedHead(
        tuple(arrays[f'projection_{level}'][:, :, 0, 0] for level in range(LEVELS)),
        arrays['bias'].reshape(-1),
        arrays['classifier'][:, :, 0, 0],
        arrays['classifier_bias'].reshape(-1),
    )


def constants_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All named constants of a model."""
    return {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}


def _read_weights(checkpoint: str | os.PathLike, prefix: str) -> dict[str, np.ndarray]:
    with safe_open(checkpoint, framework='numpy') as file:
        return {
            name.removeprefix(prefix): file.get_tensor(name).astype(np.float32)
            for name in file.keys()  # noqa: SIM118  (it is no mapping)
            if name.startswith(prefix)
        }


def _check_variant(
    encoder: Mapping[str, np.ndarray], info: CheckpointInfo, checkpoint: str | os.PathLike
) -> None:
    found, expected = sizes_of(encoder), VARIANTS[info.backbone]
    if found != expected:
        raise CheckpointError(
            f"the weights in '{checkpoint}' are not of the {info.backbone} that its metadata "
            f'names: they have {found[0]} blocks of {found[1]} channels for {expected[0]} of '
            f'{expected[1]}; use the file as it was saved'
        )


def _normalise(builder: GraphBuilder, image: str, info: CheckpointInfo) -> str:
    mean = builder.constant(255 * np.asarray(info.mean), np.float32)
    scale = builder.constant(1 / (255 * np.asarray(info.std)), np.float32)
    pixels = builder.add('Cast', image, to=onnx.TensorProto.FLOAT)
    return builder.add('Mul', builder.add('Sub', pixels, mean), scale)


def _add_head(builder: GraphBuilder, task: str, head: FoldedHead, features: list[str]) -> None:
    def constant(field: str, value: np.ndarray) -> str:
        return builder.constant(value, name=head_names(task)[field])

    def project(level: int, *bias: str) -> str:
        weight = constant(f'projection_{level}', head.projections[level][:, :, None, None])
        image = builder.add('Transpose', features[level], perm=[0, 3, 1, 2])
        return builder.add('Conv', image, weight, *bias)

    fused = project(0, constant('bias', head.bias))
    shape = builder.add('Shape', fused)
    for level in range(1, len(features)):
        coarse = builder.add(
            'Resize',
            project(level),
            '',
            '',
            shape,
            mode='linear',
            coordinate_transformation_mode='half_pixel',
        )
        fused = builder.add('Add', fused, coarse)
    classifier = constant('classifier', head.classifier[:, :, None, None])
    bias = constant('classifier_bias', head.classifier_bias)
    builder.add('Conv', builder.add('Relu', fused), classifier, bias, output=task)
    builder.output(task, 'float32', ['batch', len(head.classifier_bias), 'h', 'w'])
