"""What train.evaluate says when it cannot go on, and when it is stopped."""

import json
import os
import re
import signal

import pytest
from stereo_files import DRIVE, write_kitti_raw

from train.data import build
from train.data.synthetic import SyntheticDataset
from train.evaluate import main

SCENES = {'count': 2, 'height': 32, 'width': 48, 'focal_length_px': 40, 'workers': 1}


@pytest.fixture
def command(trained, scenes_folder, tmp_path):
    """An evaluation on two scenes, read by a process of its own."""
    return [
        str(trained),
        '--data=synthetic',
        f'--root={scenes_folder}',
        f'--data-options={json.dumps(SCENES)}',
        '--workers=1',
        '--device=cpu',
        f'--output={tmp_path}/figures.json',
    ]


def test_an_unknown_shift_is_refused_before_any_frame_is_read(command, tmp_path, capsys):
    scenes = build('synthetic', tmp_path, 'test', **SCENES)
    image = next(scenes.folder.rglob('image.npy'))
    # Whoever reads a frame complains of that.
    image.write_bytes(image.read_bytes()[:1000])
    assert main([*command, f'--root={tmp_path}', '--shifts', 'fgo']) == 1
    assert capsys.readouterr().err.startswith("error: no shift 'fgo': choose of ")


def test_shifts_of_data_without_any_are_refused_before_any_frame_is_read(
    command, tmp_path, capsys
):
    write_kitti_raw(tmp_path, frames=1)
    # There is no scan, of which whoever reads the frame complains.
    (tmp_path / 'eigen_test_files.txt').write_text(f'{DRIVE} 0 l\n')
    kitti = ['--data=kitti', f'--root={tmp_path}', '--data-options={}']
    assert main([*command, *kitti, '--shifts', 'fog']) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: options of data set 'kitti' cannot be used: ")
    assert "'shift'" in error


def test_an_evaluation_that_is_stopped_ends_with_130(command, tmp_path, capsys, monkeypatch):
    def stop(self, index):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(SyntheticDataset, 'read', stop)
    assert main([*command, '--workers=0']) == 130
    printed = capsys.readouterr()
    assert 'stopped: nothing was written\n' in printed.out
    assert not printed.err
    assert not (tmp_path / 'figures.json').exists()


def test_a_failure_of_pytorch_is_a_sentence(command, tmp_path, capsys, monkeypatch):
    def die(self, index):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(SyntheticDataset, 'read', die)
    assert main(command) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r'error: DataLoader worker \(pid.*\) .*\n', error)
    assert not (tmp_path / 'figures.json').exists()
