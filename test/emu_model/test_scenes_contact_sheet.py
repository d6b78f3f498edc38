import subprocess
import sys

import cv2

from emu_model.scenes.__main__ import main


def test_the_command_writes_a_picture(tmp_path, capsys):
    output = tmp_path / 'scenes.png'
    assert main([str(output), '--seed', '3', '--size', '24x32']) == 0
    picture = cv2.imread(str(output))
    assert picture.shape[1] > 1500
    assert picture.std() > 20
    assert 'seeds 3 to 8, 24x32' in capsys.readouterr().out


def test_a_size_that_is_none_is_named(tmp_path, capsys):
    assert main([str(tmp_path / 'scenes.png'), '--size', 'large']) == 1
    assert "--size is 'large'" in capsys.readouterr().err


def test_it_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, '-m', 'emu_model.scenes', '--help'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'python -m emu_model.scenes' in result.stdout
