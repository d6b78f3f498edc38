import importlib.util
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import openvino as ov
import pytest
import torch

from emu_model import SegDepthFormer, checkpoint, create_engine
from emu_model.checkpoint import CheckpointError, CheckpointInfo
from emu_model.engines.exported import read_model_info
from emu_model.export import export, main

CLASSES = {'class_names': ('a', 'b', 'c'), 'palette': ((0, 0, 0), (1, 1, 1), (2, 2, 2))}


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('export') / 'network.safetensors'
    info = CheckpointInfo(
        'SegDepthFormer', 'mit_b0', 256, input_size=(64, 96), focal_length_px=70.5, **CLASSES
    )
    checkpoint.save(SegDepthFormer('mit_b0', 3), info, path)
    return path


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)


def test_the_command_writes_a_file_that_runs_alone(path, frames, tmp_path):
    output = tmp_path / 'network.onnx'
    command = [sys.executable, '-m', 'emu_model.export', str(path), str(output)]
    subprocess.run(command, check=True)
    session = onnxruntime.InferenceSession(output, providers=['CPUExecutionProvider'])
    semantic, depth = session.run(['semantic', 'depth'], {'image': frames})
    assert (semantic.shape, depth.shape) == ((1, 3, 16, 24), (1, 2, 16, 24))


@pytest.mark.parametrize(
    ('file_format', 'name'), [('onnx', 'network.onnx'), ('openvino', 'network.xml')]
)
@pytest.mark.parametrize('size', [None, (64, 96)])
def test_an_exported_file_stands_for_its_checkpoint(
    file_format, name, size, path, frames, tmp_path
):
    export(path, tmp_path / name, file_format, size)
    engine = create_engine(tmp_path / name, 'openvino')
    assert engine.info == checkpoint.read_info(path)
    assert engine.network_size == (64, 96)
    expected = create_engine(path, 'openvino').predict(frames)
    for map_name, value in engine.predict(frames).maps().items():
        np.testing.assert_array_equal(value, getattr(expected, map_name))


def test_size_is_dynamic_by_default_and_fixed_on_demand(path, tmp_path):
    export(path, tmp_path / 'any.onnx')
    export(path, tmp_path / 'fixed.xml', 'openvino', (64, 96))
    shape = onnx.load(tmp_path / 'any.onnx').graph.input[0].type.tensor_type.shape
    assert [axis.dim_param for axis in shape.dim] == ['batch', 'height', 'width', '']
    fixed = ov.Core().read_model(tmp_path / 'fixed.xml').input().partial_shape
    assert [fixed[axis].get_length() for axis in (1, 2, 3)] == [64, 96, 3]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['missing.safetensors', 'out.onnx'], "no checkpoint at 'missing.safetensors'"),
        (['CHECKPOINT', 'out.engine'], "'out.engine' does not end in .onnx"),
        (['CHECKPOINT', 'out.onnx', '--format', 'openvino'], 'does not end in .xml'),
        (['CHECKPOINT', 'out.onnx', '--size', '0', '0'], 'a frame of 0x0 is too small for mit_b0'),
        (['CHECKPOINT', 'out.onnx', '--size', '-5', '10'], 'a frame of -5x10 is too small'),
        (['CHECKPOINT', 'out.xml', '--size', '96', '16'], 'give it at least 29x29'),
    ],
)
def test_what_cannot_be_exported_is_a_sentence_and_no_file(
    arguments, message, path, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code = main([str(path) if item == 'CHECKPOINT' else item for item in arguments])
    assert code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_smallest_size_to_export_is_the_smallest_that_runs(path, tmp_path):
    export(path, tmp_path / 'small.onnx', size=(29, 29))
    engine = create_engine(tmp_path / 'small.onnx', 'onnxruntime')
    assert np.isfinite(engine.predict(np.zeros((29, 29, 3), np.uint8)).depth).all()
    with pytest.raises(ValueError, match='a frame of 28x29 is too small'):
        export(path, tmp_path / 'smaller.onnx', size=(28, 29))


@pytest.mark.parametrize(
    ('file_format', 'name'), [('onnx', 'network.onnx'), ('openvino', 'network.xml')]
)
def test_an_exported_file_says_of_itself_what_its_checkpoint_does(
    file_format, name, path, tmp_path, monkeypatch
):
    model = tmp_path / name
    export(path, model, file_format)
    assert read_model_info(model) == read_model_info(path) == checkpoint.read_info(path)
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r'truncated|damaged'):
        read_model_info(model)
    with pytest.raises(FileNotFoundError, match='no model at'):
        read_model_info(tmp_path / f'missing{model.suffix}')
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda package: None if package == 'onnx' else find(package)
    )
    with pytest.raises(ModuleNotFoundError, match=r'emuformer_ros\[openvino\]'):
        read_model_info(model)


def test_a_failed_export_leaves_the_old_file(path, tmp_path, monkeypatch):
    target = tmp_path / 'network.onnx'
    target.write_bytes(b'old')
    monkeypatch.setattr('os.replace', lambda *paths: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        export(path, target)
    assert target.read_bytes() == b'old'
    assert [entry.name for entry in tmp_path.iterdir()] == ['network.onnx']


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_a_truncated_or_foreign_file_is_refused(engine, path, tmp_path):
    export(path, tmp_path / 'whole.onnx')
    truncated = tmp_path / 'truncated.onnx'
    truncated.write_bytes((tmp_path / 'whole.onnx').read_bytes()[:1000])
    foreign = tmp_path / 'foreign.onnx'
    model = onnx.load(tmp_path / 'whole.onnx')
    del model.metadata_props[:]
    onnx.save(model, foreign)
    with pytest.raises(CheckpointError, match='truncated'):
        create_engine(truncated, engine)
    with pytest.raises(CheckpointError, match='no EMUFormer metadata'):
        create_engine(foreign, engine)
    with pytest.raises(FileNotFoundError, match='no model at'):
        create_engine(tmp_path / 'missing.onnx', engine)


def test_a_foreign_or_incomplete_openvino_file_is_refused(path, tmp_path):
    export(path, tmp_path / 'whole.xml', 'openvino')
    (tmp_path / 'whole.bin').rename(tmp_path / 'other.bin')
    with pytest.raises(FileNotFoundError, match=r'no model at .*whole\.bin'):
        create_engine(tmp_path / 'whole.xml')
    (tmp_path / 'other.xml').write_text('<net/>')
    with pytest.raises(CheckpointError, match=r'is not a file of emu_model\.export'):
        create_engine(tmp_path / 'other.xml')
