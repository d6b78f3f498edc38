"""What the tests of training share: a few tiny scenes, and runs of a few steps on them."""

import json

import pytest

from train.cli import run
from train.module import NetworkModule


@pytest.fixture(scope='session')
def scenes_folder(tmp_path_factory):
    return tmp_path_factory.mktemp('scenes')


@pytest.fixture(scope='session')
def arguments(scenes_folder):
    """Command line of a run on eight scenes, but for --output."""
    options = {'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}
    return [
        f'--data.root={scenes_folder}',
        '--data.name=synthetic',
        '--data.batch_size=3',
        '--data.workers=0',
        f'--data.options={json.dumps(options)}',
        '--data.train_options={"count": 8}',
        '--data.evaluation_options={"count": 2}',
        '--model.backbone=mit_b0',
        '--model.learning_rate=1e-3',
        '--trainer.val_check_interval=4',
        '--trainer.log_every_n_steps=1',
        '--trainer.enable_progress_bar=false',
        '--trainer.accelerator=cpu',
        '--checkpoint_every=1',
    ]


@pytest.fixture(scope='session')
def trained(arguments, tmp_path_factory):
    """A SegDepthFormer after three steps."""
    output = tmp_path_factory.mktemp('trained')
    assert run(NetworkModule, '', [*arguments, f'--output={output}', '--trainer.max_steps=3']) == 0
    return output / 'network.safetensors'
