"""What the tests of engines share: small networks, and the maps that are right by definition."""

import numpy as np
import torch

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.maps import predict_maps
from emu_model.tasks import OUTPUTS

CLASSES = {'class_names': ('a', 'b', 'c'), 'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2))}
ENGINES = ('torch', 'openvino', 'onnxruntime')
WITHOUT_TORCH = ('openvino', 'onnxruntime')


def save(network, backbone, path, **options):
    for head in network.heads.values():
        torch.nn.init.uniform_(head.norm.running_var, 0.5, 2)
        torch.nn.init.normal_(head.norm.running_mean)
    classes = CLASSES if 'semantic' in network.heads else {}
    info = CheckpointInfo(
        type(network).__name__, backbone, network.head_width, **classes, **options
    )
    checkpoint.save(network, info, path)
    return path


def plain_maps(path, frames, size=None):
    """What the network says by definition: plain heads, upsampled first, activated after."""
    image = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        raw = emu_model.load(path)((image - mean) / std)
        return raw, predict_maps(raw, OUTPUTS, size or frames.shape[1:3])


def assert_plain(prediction, path, frames):
    """Equal to rounding: fp32 through some fifty layers leaves about six digits."""
    raw, expected = plain_maps(path, frames)
    assert prediction.maps().keys() == expected.keys()
    for name, value in expected.items():
        if name == 'classes':
            best = torch.nn.functional.interpolate(
                raw['semantic'], frames.shape[1:3], mode='bilinear'
            ).topk(2, dim=1)
            clear = best.values[:, 0] - best.values[:, 1] > 1e-5 * best.values.abs().max()
            np.testing.assert_array_equal(prediction.classes[clear], value[clear])
        else:
            # Depth is cut at zero, and keeps the rounding of the larger values below.
            made_of = raw['depth'][:, 0] if name == 'depth' else value
            largest = float(made_of.abs().max())
            np.testing.assert_allclose(
                getattr(prediction, name), value, rtol=0, atol=1e-5 * largest
            )
