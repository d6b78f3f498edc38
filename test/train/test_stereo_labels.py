"""Pseudo disparity and its confidence, against pairs whose disparity is known."""

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from real_data import real_data
from sklearn.metrics import roc_auc_score
from source_files import ROOT
from stereo_files import HEIGHT, WIDTH, noise_image, write_cityscapes, write_image

import emu_model
from emu_model import checkpoint, scenes
from emu_model.geometry import Intrinsics
from train.data.dataset import DatasetError
from train.pseudo_labels import main
from train.stereo.confidence import confidences, match_views, soft_threshold
from train.stereo.label_files import (
    PseudoLabels,
    decode_disparity,
    encode_disparity,
    label_path,
    read_labels,
    write_labels,
)
from train.stereo.matching import match, matching_margin
from train.stereo.pairs import VIEWS, StereoPair, open_pairs


def synthetic():
    """A pair, its left disparity in pixels with NaN for the sky, and the largest of interest."""
    left, right = scenes.stereo_pair('street', 2, 192, 320, focal_length_px=300)
    truth = left.intrinsics.fx * left.baseline_m / left.depth
    pair = StereoPair(left.image, right.image, left.intrinsics, left.baseline_m)
    return pair, np.where(np.isfinite(left.depth), truth, np.nan), 63


def motorcycle():
    folder = real_data('motorcycle_stereo')
    left, right = (
        cv2.imread(str(folder / f'motorcycle_{view}.png'))[..., ::-1].copy() for view in VIEWS
    )
    with np.load(folder / 'motorcycle_disp.npz') as arrays:
        truth = arrays['arr_0']
    intrinsics = Intrinsics(994.978, 994.978, 311.193, 254.877)
    truth = np.where(np.isfinite(truth), truth, np.nan)
    return StereoPair(left, right, intrinsics, 0.193001, 31.086), truth, 80


def judged(pair, truth, max_disparity):
    """Of each matched pixel whose disparity is known, whether it is wrong, and its confidence."""
    disparities = match_views(pair, max_disparity)
    trust = confidences(pair, disparities, max_disparity)['left']
    left = disparities['left']
    known = np.isfinite(truth) & np.isfinite(left)
    assert known.mean() > 0.5
    assert 0 <= trust.min() <= trust.max() <= 1
    return np.abs(left - truth)[known] > 2, trust[known]


@pytest.mark.parametrize('make', [synthetic, motorcycle])
def test_confidence_tells_right_disparities_from_wrong_ones(make):
    wrong, trust = judged(*make())
    # Semi-global matching is wrong at some pixels, and what it is trusted with is less so.
    assert 0.02 < wrong.mean() < 0.5
    assert np.average(wrong, weights=trust) < 0.6 * wrong.mean()
    assert roc_auc_score(~wrong, trust) > 0.75


def test_the_real_pair_has_the_errors_that_the_documentation_says():
    wrong, trust = judged(*motorcycle())
    shares = f'{wrong.mean():.0%}, {np.average(wrong, weights=trust):.0%}'.replace('%', ' %')
    text = ' '.join((ROOT / 'docs' / 'training.md').read_text().split())
    said = re.search(r'Motorcycle at 741x500, (\d+ %) .*? and (\d+ %) of their confidence', text)
    assert shares == ', '.join(said.groups())


def test_the_right_view_is_matched_like_the_left_one():
    image = cv2.GaussianBlur(noise_image(0, (40, 120)), (5, 5), 0)
    left, right = image[:, :100], image[:, 7:107]
    pair = StereoPair(left, right, Intrinsics(100, 100, 50, 20), 0.1)
    disparities = match_views(pair, 31)
    trust = confidences(pair, disparities, 31)
    # Seven columns of each view are out of the other one.
    inside = {'left': np.s_[5:-5, 12:-5], 'right': np.s_[5:-5, 5:-12]}
    outside = {'left': np.s_[:, :6], 'right': np.s_[:, -6:]}
    for view in VIEWS:
        np.testing.assert_allclose(disparities[view][inside[view]], 7, atol=0.1)
        assert trust[view][inside[view]].min() > 0.9
        assert trust[view][outside[view]].max() < 0.1


@pytest.mark.parametrize(('limit', 'matched'), [(16, False), (24, False), (26, True), (31, True)])
def test_nothing_is_matched_beyond_the_largest_disparity(limit, matched):
    shift = 25
    image = cv2.GaussianBlur(noise_image(0, (40, 160)), (5, 5), 0)
    left, right = image[:, :120], image[:, shift : shift + 120]
    disparity = match(left, right, limit)
    assert np.nanmax(disparity, initial=0) <= limit
    inside = disparity[5:-5, shift + 5 : -5]
    if matched:
        np.testing.assert_allclose(inside, shift, atol=0.1)
    else:
        assert np.isnan(inside).mean() > 0.9


def test_what_repeats_itself_has_no_margin():
    period = 10
    stripes = np.tile(noise_image(1, (30, period)), (1, 8, 1))
    unique = noise_image(2, (30, 80))
    disparity = np.full((30, 70), 3, np.float32)
    for image, low, high in ((stripes, 0.0, 0.0), (unique, 0.5, 1.0)):
        margin = matching_margin(image[:, :70], image[:, 3:73], disparity, 20)
        assert low <= margin[5:-5, 25:-5].min()
        assert margin[5:-5, 25:-5].max() <= high
    assert not matching_margin(unique, unique, np.full((30, 80), np.nan), 20).any()


def test_the_threshold_is_soft():
    values = soft_threshold(np.array([-np.inf, -1, 0, 1, np.inf]), 0.5)
    np.testing.assert_allclose(values, [0, 1 / (1 + np.e**2), 0.5, 1 / (1 + np.e**-2), 1])


def test_labels_come_back_from_their_file(tmp_path):
    rng = np.random.default_rng(0)
    disparity = np.float32(100 * rng.random((6, 8)))
    disparity[0, 0] = np.nan
    confidence = np.float32(rng.random((6, 8)))
    classes = rng.integers(0, 19, (6, 8)).astype(np.uint8)
    both = {'left': disparity, 'right': disparity[::-1]}
    written = PseudoLabels(both, dict.fromkeys(VIEWS, confidence), {'right': classes})
    path = tmp_path / 'drive' / '7.npz'
    write_labels(path, written)
    read = read_labels(path, (6, 8))
    for view in VIEWS:
        np.testing.assert_allclose(read.disparities[view], both[view], atol=0.5 / 256)
        np.testing.assert_allclose(read.confidences[view], confidence, atol=0.5 / 255)
    assert set(read.classes) == {'right'}
    np.testing.assert_array_equal(read.classes['right'], classes)
    assert os.listdir(path.parent) == ['7.npz']


def test_disparities_are_kept_as_kitti_keeps_them():
    # Of KITTI's development kit: the pixel over 256, and 0 for none.
    np.testing.assert_array_equal(
        decode_disparity(np.array([0, 256, 1000, 65535], np.uint16)),
        np.array([np.nan, 1, 1000 / 256, 65535 / 256], np.float32),
    )
    with pytest.raises(ValueError, match=r'a disparity is 300.0 px, the largest'):
        encode_disparity(np.array([300.0]))


@pytest.fixture
def cityscapes(tmp_path):
    root = tmp_path / 'cityscapes'
    return root, write_cityscapes(root)


def label(root, output, *options):
    arguments = ['--data=cityscapes', f'--root={root}', '--max-disparity=15', '--workers=2']
    return main([*arguments, f'--output={output}', *options])


def test_a_stopped_labelling_goes_on_where_it_stood(cityscapes, tmp_path, capsys):
    root, names = cityscapes
    output = tmp_path / 'labels'
    assert label(root, output) == 0
    paths = [label_path(output, f'train/ulm/{name}') for name in names]
    kept = paths[0].stat().st_mtime_ns
    expected = paths[1].read_bytes()
    paths[1].unlink()
    assert label(root, output) == 0
    assert '1 of 2 pairs are labelled already' in capsys.readouterr().out
    assert paths[0].stat().st_mtime_ns == kept
    assert paths[1].read_bytes() == expected


def test_labels_made_in_another_way_are_not_mixed_in(cityscapes, tmp_path, capsys):
    root, _ = cityscapes
    assert label(root, tmp_path / 'labels') == 0
    assert label(root, tmp_path / 'labels', '--max-disparity=31') == 1
    assert 'made with max_disparity 15 instead of 31' in capsys.readouterr().err


ROWS = '--data-options={"rows": 24}'


@pytest.mark.parametrize(
    ('first', 'then', 'message'),
    [
        ([ROWS], [], "made with data_options {'rows': 24} instead of {}: give another --output"),
        ([], [ROWS], "made with data_options {} instead of {'rows': 24}"),
    ],
)
def test_labels_of_pairs_that_were_read_in_another_way_are_not_taken_for_complete(
    first, then, message, cityscapes, tmp_path, capsys
):
    root, _ = cityscapes
    assert label(root, tmp_path / 'labels', *first) == 0
    assert label(root, tmp_path / 'labels', *then) == 1
    assert message in capsys.readouterr().err
    assert label(root, tmp_path / 'labels', *first) == 0


def test_labels_of_another_split_are_not_mixed_in(cityscapes, tmp_path, capsys):
    root, _ = cityscapes
    for kind in ('leftImg8bit', 'rightImg8bit', 'gtFine', 'camera'):
        (root / kind / 'val').symlink_to(root / kind / 'train')
    assert label(root, tmp_path / 'labels') == 0
    assert label(root, tmp_path / 'labels', '--split=validation') == 1
    assert 'made with split train instead of validation' in capsys.readouterr().err


def test_options_that_leave_pairs_as_they_are_may_change(cityscapes, tmp_path):
    root, _ = cityscapes
    assert label(root, tmp_path / 'labels') == 0
    assert label(root, tmp_path / 'labels', '--data-options={"max_depth_m": 50}') == 0


def test_labels_of_an_earlier_version_are_told_by_their_size(cityscapes, tmp_path, capsys):
    root, names = cityscapes
    folder = tmp_path / 'labels'
    assert label(root, folder, ROWS) == 0
    note = folder / 'meta.json'
    earlier = json.loads(note.read_text())
    del earlier['data_options'], earlier['split']
    note.write_text(json.dumps(earlier))
    label_path(folder, f'train/ulm/{names[1]}').unlink()
    assert label(root, folder) == 1
    assert f'(24, {WIDTH}), expected' in capsys.readouterr().err
    assert label(root, folder, ROWS) == 0
    assert '1 of 2 pairs are labelled already' in capsys.readouterr().out
    assert json.loads(note.read_text()) == earlier
    assert label(root, folder, ROWS, '--max-disparity=31') == 1
    assert 'made with max_disparity 15 instead of 31' in capsys.readouterr().err


@pytest.mark.parametrize('form', ['png', 'npy'])
def test_disparities_and_labels_of_files_take_the_place_of_matching(cityscapes, tmp_path, form):
    root, names = cityscapes
    files = tmp_path / 'network'
    disparity = np.full((HEIGHT, WIDTH), 4.25, np.float32)
    disparity[3] = 0
    for view in VIEWS:
        for name in names:
            path = files / view / 'train' / 'ulm' / f'{name}.{form}'
            path.parent.mkdir(parents=True, exist_ok=True)
            if form == 'png':
                write_image(path, np.uint16(256 * disparity))
            else:
                np.save(path, disparity)
            classes = np.full((HEIGHT, WIDTH), 11, np.uint8)
            write_image(tmp_path / 'labels' / view / 'train' / 'ulm' / f'{name}.png', classes)
    options = [f'--disparities={files}', f'--labels={tmp_path / "labels"}']
    assert label(root, tmp_path / 'made', *options) == 0
    made = read_labels(label_path(tmp_path / 'made', f'train/ulm/{names[0]}'), (HEIGHT, WIDTH))
    for view in VIEWS:
        expected = np.where(disparity > 0, disparity, np.nan)
        np.testing.assert_array_equal(made.disparities[view], expected)
        assert not made.confidences[view][3].any()
    # The left view has published labels.
    assert set(made.classes) == {'right'}
    assert (made.classes['right'] == 11).all()


def test_files_that_do_not_fit_are_named(cityscapes, tmp_path, capsys):
    root, names = cityscapes
    files = tmp_path / 'network'
    assert label(root, tmp_path / 'made', f'--disparities={files}') == 1
    assert 'is missing' in capsys.readouterr().err
    for name in names:
        write_image(files / 'left' / 'train' / 'ulm' / f'{name}.png', np.zeros((3, 4), np.uint16))
    assert label(root, tmp_path / 'made', f'--disparities={files}') == 1
    assert 'is 3x4 (height x width), its image is 32x48' in capsys.readouterr().err
    assert label(root, tmp_path / 'other', '--max-disparity=0') == 1
    assert 'the largest disparity is 0 px: give 1 to 255 px' in capsys.readouterr().err


def test_class_ids_that_the_pairs_do_not_have_are_refused(cityscapes, tmp_path, capsys):
    root, names = cityscapes
    for name in names:
        classes = np.full((HEIGHT, WIDTH), 255, np.uint8)
        classes[1, 2] = 26  # the label id of cars, whose train id is 13
        write_image(tmp_path / 'right' / 'train' / 'ulm' / f'{name}.png', classes)
    assert label(root, tmp_path / 'made', f'--labels={tmp_path}') == 1
    assert ".png' has class id 26: the 19 classes of 'cityscapes' are" in capsys.readouterr().err


def test_a_damaged_label_file_is_named(cityscapes, tmp_path):
    root, names = cityscapes
    assert label(root, tmp_path / 'labels') == 0
    path = label_path(tmp_path / 'labels', f'train/ulm/{names[0]}')
    with pytest.raises(DatasetError, match=r'expected .* of \(32, 49\), the size of the pair'):
        read_labels(path, (32, 49))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r'npz. is damaged'):
        read_labels(path, (HEIGHT, WIDTH))


def test_a_teacher_gives_class_ids_where_none_are_published(
    cityscapes, checkpoints, tmp_path, capsys
):
    root, names = cityscapes
    assert label(root, tmp_path / 'refused', f'--teacher={checkpoints["SegFormer"]}') == 1
    assert "knows 7 classes of 'numbered', the pairs have 19" in capsys.readouterr().err
    teacher = cityscapes_teacher(tmp_path / 'teacher.safetensors')
    assert label(root, tmp_path / 'labels', f'--teacher={teacher}', '--device=cpu') == 0
    made = read_labels(label_path(tmp_path / 'labels', f'train/ulm/{names[1]}'), (HEIGHT, WIDTH))
    assert set(made.classes) == {'right'}
    image = open_pairs('cityscapes', root).read(1).right
    expected = emu_model.create_engine(teacher, 'torch', 'cpu').predict(image, ('classes',))
    np.testing.assert_array_equal(made.classes['right'], expected.classes)


def cityscapes_teacher(path: Path) -> Path:
    """A random SegFormer that knows the classes of Cityscapes."""
    from emu_model.labels import CITYSCAPES
    from emu_model.networks import SegFormer

    network = SegFormer('mit_b0', num_classes=len(CITYSCAPES))
    info = checkpoint.CheckpointInfo(
        network='SegFormer',
        backbone='mit_b0',
        head_width=network.head_width,
        label_set=CITYSCAPES.name,
        class_names=CITYSCAPES.class_names,
        palette=CITYSCAPES.palette,
    )
    checkpoint.save(network, info, path)
    return path


def test_views_without_any_labels_are_announced(cityscapes, tmp_path, capsys):
    assert label(cityscapes[0], tmp_path / 'labels') == 0
    assert 'right views get no class ids: give --labels or --teacher' in capsys.readouterr().out
