"""The ONNX graphs against the PyTorch networks, in ONNX Runtime."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mit_sizes import MIT

from emu_model import SegDepthFormer, checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.folding import fold_head
from emu_model.graphs.network import (
    build_network,
    constants_of,
    head_from_constants,
    read_heads,
    read_network_info,
)

CLASSES = {'class_names': ('a', 'b', 'c'), 'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2))}
OTHERS = ('pvt_v2_b0', 'convnext_atto', 'resnet18')


def saved(folder, backbone, **options):
    torch.manual_seed(0)
    network = SegDepthFormer(backbone, 3, **options).eval()
    for head in network.heads.values():
        torch.nn.init.uniform_(head.norm.running_var, 0.5, 2)
        torch.nn.init.normal_(head.norm.running_mean)
    info = CheckpointInfo(
        'SegDepthFormer', backbone, network.head_width, backbone_options=options, **CLASSES
    )
    path = folder / f'{backbone}.safetensors'
    checkpoint.save(network, info, path)
    return network, info, path


def normalised(frames):
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (image - mean) / std


@pytest.mark.parametrize('backbone', [*MIT, *OTHERS])
def test_graph_is_the_network_at_any_size(backbone, tmp_path):
    network, _, path = saved(tmp_path, backbone)
    model = build_network(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    for shape in ((1, 64, 96, 3), (2, 97, 67, 3)):
        frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        with torch.inference_mode():
            expected = network(normalised(frames))
        for task, value in zip(expected, session.run(list(expected), {'image': frames})):
            largest = expected[task].abs().max().item()
            np.testing.assert_allclose(value, expected[task], rtol=0, atol=1e-5 * largest)


def test_layer_norm_eps_of_the_checkpoint_count(tmp_path):
    options = {'norm_eps': 0.1, 'embed_norm_eps': 0.2}
    network, _, path = saved(tmp_path, 'mit_b0', **options)
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    session = onnxruntime.InferenceSession(
        build_network(path).SerializeToString(), providers=['CPUExecutionProvider']
    )
    with torch.inference_mode():
        expected = network(normalised(frames))['depth'].numpy()
    found = session.run(['depth'], {'image': frames})[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_graph_carries_metadata_and_heads_of_its_checkpoint(tmp_path):
    network, info, path = saved(tmp_path, 'mit_b0')
    model = build_network(path)
    assert dataclasses.replace(read_network_info(model), **CLASSES) == info
    for task, head in read_heads(path, info).items():
        state = {name: value.numpy() for name, value in network.heads[task].state_dict().items()}
        for other in (fold_head(state), head_from_constants(task, constants_of(model))):
            for field in ('bias', 'classifier', 'classifier_bias'):
                np.testing.assert_array_equal(getattr(other, field), getattr(head, field))
            for matrix, same in zip(other.projections, head.projections):
                np.testing.assert_array_equal(matrix, same)


def test_a_fixed_size_is_the_size_of_the_graphs_input(tmp_path):
    _, _, path = saved(tmp_path, 'mit_b0')
    shape = build_network(path, (64, 96)).graph.input[0].type.tensor_type.shape
    assert [axis.dim_value for axis in shape.dim] == [0, 64, 96, 3]
