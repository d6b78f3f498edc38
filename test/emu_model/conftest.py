import os

import numpy as np
import pytest

from emu_model.engines.choice import gpu_count

if gpu_count() == 0:
    # Triton decides when it is first imported whether kernels run in its interpreter.
    os.environ.setdefault('TRITON_INTERPRET', '1')


@pytest.fixture(scope='session')
def path(tmp_path_factory):
    """A checkpoint with random weights that takes small frames."""
    import torch
    from engine_oracle import save

    from emu_model import SegDepthFormer

    torch.manual_seed(0)
    target = tmp_path_factory.mktemp('engines') / 'network.safetensors'
    return save(SegDepthFormer('mit_b0', 3), 'mit_b0', target, input_size=(64, 96))


@pytest.fixture
def images():
    """Two such frames."""
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
