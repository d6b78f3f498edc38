import subprocess
import sys

import numpy as np
import pytest
import torch

from emu_model import SegDepthFormer, checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.engines.artefacts import cached

KEY = {'kind': 'test', 'version': 1}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('EMUFORMER_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


class Builder:
    """Counts how often it is asked for its bytes."""

    def __init__(self, payload=b'payload'):
        self.payload, self.count = payload, 0

    def __call__(self):
        self.count += 1
        return self.payload


def test_an_artefact_is_made_once(folder):
    build = Builder()
    assert [cached(KEY, build, bytes) for _ in range(3)] == [b'payload'] * 3
    assert build.count == 1
    assert len(list(folder.iterdir())) == 1


def test_another_key_is_another_artefact():
    for version in (1, 2, 1, 2):
        payload = str(version).encode()
        assert cached({'version': version}, lambda payload=payload: payload, bytes) == payload


@pytest.mark.parametrize('damage', ['truncated', 'empty', 'flipped', 'foreign'])
def test_a_damaged_artefact_is_made_again(damage, folder):
    cached(KEY, Builder(b'x' * 1000), bytes)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    broken = {
        'truncated': content[: len(content) // 2],
        'empty': b'',
        'flipped': content[:-1] + b'y',
        'foreign': b'emuformer-artefact-0\n' + content,
    }
    path.write_bytes(broken[damage])
    build = Builder(b'new')
    assert cached(KEY, build, bytes) == b'new'
    assert cached(KEY, build, bytes) == b'new'
    assert build.count == 1


def test_an_artefact_that_cannot_be_loaded_is_made_again():
    cached(KEY, Builder(b'old'), bytes)

    def load(payload):
        if payload == b'old':
            raise RuntimeError('made by another version')
        return payload

    assert cached(KEY, Builder(b'new'), load) == b'new'
    assert cached(KEY, Builder(b'newer'), load) == b'new'


def test_a_failed_build_leaves_nothing(folder):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(KEY, fail, bytes)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch, caplog):
    blocked = tmp_path / 'file'
    blocked.write_text('a file where the folder would be')
    monkeypatch.setenv('EMUFORMER_CACHE', str(blocked / 'cache'))
    build = Builder()
    assert [cached(KEY, build, bytes) for _ in range(2)] == [b'payload'] * 2
    assert build.count == 2
    assert 'nothing is kept for the next start' in caplog.text


RACE = """
import sys
from emu_model.engines.artefacts import cached

payload = sys.argv[1].encode() * (1 << 20)
print('ready', flush=True)
sys.stdin.readline()
for round in range(20):
    loaded = cached({'round': round}, lambda: payload, bytes)
    assert len(loaded) == 1 << 20 and len(set(loaded)) == 1, (round, len(loaded), set(loaded))
"""


def test_processes_that_start_at_once_never_read_a_mixture(folder):
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', RACE, letter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for letter in 'ab'
    ]
    for process in processes:
        assert process.stdout.readline() == 'ready\n'
    for process in processes:
        process.stdin.write('go\n')
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert errors == ''
    assert len(list(folder.iterdir())) == 20  # and no partial file


def test_a_damaged_compiled_network_is_compiled_again(folder, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / 'network.safetensors'
    classes = {'class_names': ('a', 'b'), 'palette': ((0, 0, 0), (1, 1, 1))}
    info = CheckpointInfo('SegDepthFormer', 'mit_b0', 256, **classes)
    checkpoint.save(SegDepthFormer('mit_b0', 2), info, path)
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    first = create_engine(path, 'openvino').predict(frame)
    (artefact,) = folder.iterdir()
    whole = artefact.read_bytes()
    artefact.write_bytes(whole[:100_000])
    np.testing.assert_array_equal(
        create_engine(path, 'openvino').predict(frame).depth, first.depth
    )
    assert len(artefact.read_bytes()) == pytest.approx(len(whole), rel=0.01)
