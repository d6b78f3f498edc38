"""The example of a data set in docs/datasets.md, run as it is printed there."""

import ast
import importlib.util
import re
import shutil
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from train import data
from train.cli import create_cli
from train.data.__main__ import main
from train.data.dataset import AugmentedDataset, DatasetError, EvaluationDataset
from train.module import NetworkModule

PAGE = (Path(__file__).parents[2] / 'docs' / 'datasets.md').read_text()
EXAMPLE = PAGE.partition('\n## Your own data set\n')[2]
SIZE = (480, 640)
SPLITS = {'train': ('a', 'b'), 'validation': ('c',), 'test': ('d',)}


def code_after(words):
    """The indented block that follows a line with these words."""
    block = re.search(f'{re.escape(words)}.*\n\n((?:    .*\n|\n)+)', EXAMPLE)[1]
    return textwrap.dedent(block)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Frames in the layout of the page; those of a split differ in nothing but their names."""
    folder = tmp_path_factory.mktemp('robot')
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 0] = 200  # red
    classes = np.full(SIZE, 3, np.uint8)
    classes[:10] = 255
    millimetres = np.full(SIZE, 2500, np.uint16)
    millimetres[0, :4] = (0, 299, 20_000, 20_001)
    for split, names in SPLITS.items():
        (folder / f'{split}.txt').write_text('\n'.join(names) + '\n')
        for name in names:
            files = {'image': image[..., ::-1], 'classes': classes, 'depth': millimetres}
            for kind, pixels in files.items():
                (folder / kind).mkdir(exist_ok=True)
                assert cv2.imwrite(str(folder / kind / f'{name}.png'), pixels)
    return folder


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """The class and its entry of the page, as if they were in train/data."""
    entry = ast.literal_eval('{' + code_after('The entry in `DATASETS`') + '}')
    [(module_name, _)] = entry.values()
    file = tmp_path / 'robot.py'
    file.write_text(code_after('`train/data/robot.py`:'))
    spec = importlib.util.spec_from_file_location(module_name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, module_name, module)
    for name, place in entry.items():
        monkeypatch.setitem(data.DATASETS, name, place)


@pytest.mark.usefixtures('registered')
def test_the_example_reads_what_its_files_hold(root):
    assert {split: len(data.build('robot', root, split)) for split in SPLITS} == {
        'train': 2,
        'validation': 1,
        'test': 1,
    }
    dataset = data.build('robot', root, 'train')
    sample = dataset[1]
    assert sample['image'].shape == (3, *SIZE)
    assert sample['image'][:, 5, 5].tolist() == pytest.approx([200 / 255, 0, 0])
    assert sample['classes'][:, 0].tolist() == [255] * 10 + [3] * (SIZE[0] - 10)
    assert dataset.labels.class_names[3] == 'person'
    assert sample['depth'][0, :5].tolist() == pytest.approx([0, 0, 20, 0, 2.5])
    assert sample['not_padding'].all()
    fx, fy, cx, cy = sample['intrinsics'].tolist()
    assert (fx, fy) == pytest.approx((615, 615), abs=1)
    assert (cx, cy) == pytest.approx((SIZE[1] / 2, SIZE[0] / 2), abs=5)


@pytest.mark.usefixtures('registered')
def test_the_example_can_be_looked_at_with_the_command(root, capsys):
    assert main(['robot', str(root), '--every', '1']) == 0
    assert '2.500 to 20.000 m' in capsys.readouterr().out


@pytest.mark.usefixtures('registered')
def test_a_folder_that_does_not_hold_the_example_is_named(root, tmp_path, capsys):
    wrong = tmp_path / 'elsewhere'
    assert main(['robot', str(wrong)]) == 1
    assert f"error: '{wrong}' is no folder: give the one that holds" in capsys.readouterr().err
    wrong.mkdir()
    assert main(['robot', str(wrong)]) == 1
    assert str(wrong / 'train.txt') in capsys.readouterr().err
    (wrong / 'train.txt').touch()
    assert main(['robot', str(wrong)]) == 1
    assert f"'{wrong / 'train.txt'}' is empty: list the names" in capsys.readouterr().err
    (wrong / 'train.txt').write_text('a\n')
    assert main(['robot', str(wrong)]) == 1
    assert f"'{wrong / 'image' / 'a.png'}' is missing" in capsys.readouterr().err


@pytest.mark.usefixtures('registered')
def test_a_split_without_frames_is_named(root, capsys, monkeypatch):
    monkeypatch.setattr(data.dataset_class('robot'), '__len__', lambda self: 0)
    assert main(['robot', str(root)]) == 1
    assert f"split 'train' of 'robot' in '{root}' has no frames" in capsys.readouterr().err


@pytest.mark.usefixtures('registered')
@pytest.mark.parametrize('split', SPLITS)
def test_the_list_of_each_split_is_looked_for(split, root, tmp_path, capsys):
    shutil.copytree(root, tmp_path / 'copy')
    missing = tmp_path / 'copy' / f'{split}.txt'
    missing.unlink()
    assert main(['robot', str(tmp_path / 'copy')]) == 1
    assert f"error: '{missing}' is missing: list the names of the" in capsys.readouterr().err


@pytest.mark.usefixtures('registered')
@pytest.mark.parametrize('class_id', [4, 7, 254])
def test_class_ids_that_the_data_set_does_not_have_are_refused(class_id, root, tmp_path, capsys):
    folder = shutil.copytree(root, tmp_path / 'copy')
    classes = np.full(SIZE, 3, np.uint8)
    classes[0] = 255
    classes[7, 5] = class_id
    assert cv2.imwrite(str(folder / 'classes' / 'c.png'), classes)
    sentence = f"frame 0 of data set 'robot' has class id {class_id}: the 4 classes"
    assert main(['robot', str(folder)]) == 1
    assert sentence in capsys.readouterr().err
    frames = data.build('robot', folder, 'validation')
    for read in (
        lambda: frames[0],
        lambda: AugmentedDataset(frames, [])[0, 0],
        lambda: EvaluationDataset(frames)[0, True],
    ):
        with pytest.raises(DatasetError, match=sentence):
            read()


@pytest.mark.usefixtures('registered')
def test_the_example_configuration_trains_on_it(root, tmp_path):
    configuration = tmp_path / 'robot.yaml'
    configuration.write_text(code_after('`train/configs/data/robot.yaml`'))
    arguments = [
        f'--config={configuration}',
        f'--data.root={root}',
        '--model.backbone=mit_b0',
        '--data.workers=0',
        '--data.batch_size=1',
        '--trainer.accelerator=cpu',
        '--trainer.precision=32',
        '--output=unused',
    ]
    cli = create_cli(NetworkModule, '', arguments)
    assert cli.config.keep == 'best'
    assert cli.trainer.val_check_interval < cli.trainer.max_steps
    batch = next(iter(cli.datamodule.train_dataloader()))
    assert batch['image'].shape == (1, 3, *SIZE)
    assert cli.datamodule.focal_length_px == pytest.approx(615.4)
