"""Files of emu_model.export in the checkpoint's place, as users evaluate them."""

import pytest
from evaluated import (
    evaluate,
    interrupt_after,
    metrics,
    metrics_without_times,
    rows_without_times,
    samples,
)
from recordings import write_ros2

from emu_model.export import export
from emuformer_ros.bag_evaluation import plan
from emuformer_ros.bag_evaluation.part_store import FOLDER
from emuformer_ros.evaluate_bag import FAILED, INTERRUPTED, OK

FRAMES = 3
PRECISION = ('--engine', 'openvino', '--device', 'cpu', '--precision', 'fp32', '--no-maps')
OF_THE_FILE = ('checkpoint', 'parameters', 'macs')


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return write_ros2(tmp_path_factory.mktemp('bags') / 'bag', samples(FRAMES))


@pytest.fixture(scope='module')
def whole(bag, checkpoints, tmp_path_factory):
    """The evaluation of the checkpoint itself."""
    output = tmp_path_factory.mktemp('whole')
    options = ('--checkpoint', checkpoints['SegDepthFormer'], *PRECISION)
    assert evaluate(bag, '--output', output, *options) == OK
    return output


@pytest.fixture(scope='module')
def exported(checkpoints, tmp_path_factory):
    """The checkpoint's exported files by suffix."""
    folder = tmp_path_factory.mktemp('exported')
    paths = {'.onnx': folder / 'network.onnx', '.xml': folder / 'network.xml'}
    for (suffix, path), file_format in zip(paths.items(), ('onnx', 'openvino')):
        assert path.suffix == suffix
        export(checkpoints['SegDepthFormer'], path, file_format)
    return paths


@pytest.mark.parametrize('suffix', ['.onnx', '.xml'])
def test_an_exported_file_gives_the_results_of_its_checkpoint(
    suffix, bag, whole, exported, tmp_path
):
    options = ('--checkpoint', exported[suffix], *PRECISION)
    assert evaluate(bag, '--output', tmp_path, *options) == OK
    assert rows_without_times(tmp_path) == rows_without_times(whole)
    found, expected = metrics_without_times(tmp_path), metrics_without_times(whole)
    assert expected['parameters'] > 0
    assert found['parameters'] is None
    assert found['macs'] is None
    assert found['checkpoint']['path'] == str(exported[suffix])
    for key in OF_THE_FILE:
        del found[key], expected[key]
    assert found == expected
    assert (tmp_path / 'report.html').exists()
    assert not (tmp_path / FOLDER).exists()


def test_resume_goes_on_with_the_same_weights_alone(
    bag, whole, exported, checkpoints, tmp_path, capsys, monkeypatch
):
    graph, weights = (tmp_path / f'network{suffix}' for suffix in ('.xml', '.bin'))
    graph.write_bytes(exported['.xml'].read_bytes())
    content = exported['.xml'].with_suffix('.bin').read_bytes()
    weights.write_bytes(content)
    options = ('--checkpoint', graph, '--output', tmp_path / 'out', *PRECISION)
    with monkeypatch.context() as patch:
        patch.setattr(plan, 'PART_FRAMES', 1)
        interrupt_after(patch, 1, KeyboardInterrupt())
        assert evaluate(bag, *options) == INTERRUPTED
        weights.write_bytes(content[:-4] + b'\0\0\0\0')
        assert evaluate(bag, '--resume', *options) == FAILED
        assert 'begun with other checkpoint' in capsys.readouterr().out
        weights.write_bytes(content)
    monkeypatch.setattr(plan, 'PART_FRAMES', 1)
    assert evaluate(bag, '--resume', *options) == OK
    assert rows_without_times(tmp_path / 'out') == rows_without_times(whole)
    assert metrics(tmp_path / 'out')['parameters'] is None
