"""What every test may need: an isolated ROS graph and small checkpoints with random weights."""

import dataclasses
import os
from pathlib import Path

import hypothesis
import pytest

from emuformer_ros.demo.isolation import isolate

# The same examples every time; a busy machine is no failure.
hypothesis.settings.register_profile('suite', derandomize=True, deadline=None)
hypothesis.settings.load_profile('suite')

# Before any rclpy.init: sessions that run side by side must not hear each other.
isolate(1 + os.getpid() % 100)


@pytest.fixture(scope='session', autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep compiled networks and rendered scenes out of the user's cache, and his out of here."""
    os.environ['EMUFORMER_CACHE'] = str(tmp_path_factory.mktemp('cache'))


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Networks that a test makes are the same each time, whatever ran before."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random mit_b0 checkpoint of each network, by the network's name."""
    import torch

    from emu_model import checkpoint, networks
    from emu_model.labels import numbered
    from emu_model.tasks import NETWORKS

    directory = tmp_path_factory.mktemp('checkpoints')
    labels = numbered(7)
    paths = {}
    for name in ('SegFormer', 'DepthFormer', 'SegDepthFormer', 'SegInstanceFormer'):
        torch.manual_seed(0)
        classes = {} if name == 'DepthFormer' else {'num_classes': len(labels)}
        network = networks.Network(NETWORKS[name], 'mit_b0', **classes)
        if 'depth' in network.heads:
            # Depths on both sides of zero and of the range's end, so that every rule is met.
            with torch.no_grad():
                torch.nn.init.normal_(network.heads['depth'].predict.weight[0])
                network.heads['depth'].predict.bias[0] = 4.0
        info = checkpoint.CheckpointInfo(
            network=name,
            backbone='mit_b0',
            head_width=network.head_width,
            label_set=labels.name if classes else '',
            class_names=labels.class_names if classes else (),
            palette=labels.palette if classes else (),
            input_size=(64, 96),
            focal_length_px=80.0,
            depth_range_m=(1.0, 8.0),
            things=tuple(range(len(labels))) if 'instance' in network.heads else (),
        )
        paths[name] = directory / f'{name}.safetensors'
        checkpoint.save(network, info, paths[name])
    return paths


@pytest.fixture(scope='session')
def any_size_checkpoint(checkpoints: dict[str, Path]) -> Path:
    """A SegFormer without an input size, as imported ones are: images run as they come."""
    from emu_model import checkpoint

    network = checkpoint.load(checkpoints['SegFormer'])
    path = checkpoints['SegFormer'].with_name('any_size.safetensors')
    checkpoint.save(network, dataclasses.replace(network.info, input_size=None), path)
    return path
