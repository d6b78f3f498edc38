"""Stereo pairs of the published layouts, and what is said about files that are not like them."""

import numpy as np
import pytest
from stereo_files import (
    DAY,
    DRIVE,
    HEIGHT,
    WIDTH,
    noise_image,
    write_cityscapes,
    write_image,
    write_kitti_raw,
)

from emu_model import scenes
from emu_model.geometry import Intrinsics
from train.data.dataset import DatasetError
from train.data.scene_set import SceneSet
from train.stereo.pairs import open_pairs

BOTH_FORMS = {
    'number and side': f'{DRIVE} 1 r\n{DRIVE} 0 l\n{DRIVE} 1 l\n',
    'paths': ''.join(
        f'{DRIVE}/image_02/data/{number:010d}.jpg {DRIVE}/image_03/data/{number:010d}.jpg\n'
        for number in (1, 0)
    ),
}


@pytest.fixture
def kitti(tmp_path):
    write_kitti_raw(tmp_path)
    (tmp_path / 'eigen_train_files.txt').write_text(BOTH_FORMS['paths'])
    return tmp_path


@pytest.mark.parametrize('form', BOTH_FORMS)
def test_kitti_pairs_are_those_of_either_form_of_the_list(kitti, form):
    (kitti / 'list.txt').write_text(BOTH_FORMS[form])
    pairs = open_pairs('kitti', kitti, files='list.txt')
    assert [pairs.key(index) for index in range(len(pairs))] == [
        f'{DRIVE}/0000000001',
        f'{DRIVE}/0000000000',
    ]
    pair = pairs.read(1)
    np.testing.assert_array_equal(pair.left, noise_image(2))
    np.testing.assert_array_equal(pair.right, noise_image(3))
    assert pair.intrinsics == Intrinsics(721.5377, 721.5377, 609.5593, 172.854)
    # (44.85728 + 339.5242) / 721.5377, the 0.54 m between KITTI's colour cameras.
    assert pair.baseline_m == pytest.approx(0.532725, abs=1e-6)
    assert pair.doffs_px == 0
    assert not pair.classes


def test_kitti_pairs_may_have_depth_without_a_cap(kitti):
    nearest, farthest = open_pairs('kitti', kitti, max_depth_m=None).depth_range_m
    # The smallest disparity of a file, 1/256 pixel, is still depth.
    assert nearest == 1
    assert 721.5377 * 0.532725 * 256 < farthest < np.inf
    with pytest.raises(ValueError, match=r'max_depth_m is 0: give a depth over 1\.0 m, or none'):
        open_pairs('kitti', kitti, max_depth_m=0)


def test_doffs_is_where_the_right_principal_point_lies(kitti):
    path = kitti / DAY / 'calib_cam_to_cam.txt'
    text = path.read_text()
    head, right = text.split('P_rect_03')
    path.write_text(f'{head}P_rect_03{right.replace("6.095593e+02", "6.125593e+02")}')
    assert open_pairs('kitti', kitti).read(0).doffs_px == pytest.approx(3)


def test_cityscapes_pairs_have_published_labels_on_the_left_alone(tmp_path):
    names = write_cityscapes(tmp_path)
    pairs = open_pairs('cityscapes', tmp_path, rows=16)
    assert [pairs.key(index) for index in range(2)] == [f'train/ulm/{name}' for name in names]
    pair = pairs.read(1)
    np.testing.assert_array_equal(pair.left, noise_image(2)[:16])
    np.testing.assert_array_equal(pair.right, noise_image(3)[:16])
    assert pair.intrinsics == Intrinsics(2262.52, 2265.30, 1096.98, 513.137)
    assert (pair.baseline_m, pair.doffs_px) == (0.209313, 0)
    # Label id 8 is sidewalk, train id 1.
    assert set(pair.classes) == {'left'}
    np.testing.assert_array_equal(pair.classes['left'], np.full((16, WIDTH), 1, np.uint8))


def test_synthetic_pairs_are_the_scenes_through_both_eyes(scenes_folder):
    options = {'count': 2, 'height': 32, 'width': 48, 'kinds': ['street'], 'focal_length_px': 40}
    pairs = open_pairs('synthetic', scenes_folder, workers=1, **options)
    pair = pairs.read(1)
    left, right = (
        SceneSet('train', 32, 48, ('street',), focal_length_px=40, eye=eye).render(1)
        for eye in ('left', 'right')
    )
    assert isinstance(left, scenes.Frame)
    np.testing.assert_array_equal(pair.left, left.image)
    np.testing.assert_array_equal(pair.right, right.image)
    assert (pair.left != pair.right).any()
    np.testing.assert_array_equal(pair.classes['left'], left.classes)
    np.testing.assert_array_equal(pair.classes['right'], right.classes)
    assert (pair.intrinsics, pair.baseline_m) == (left.intrinsics, left.baseline_m)
    assert len({pairs.key(0), pairs.key(1)}) == 2


def test_an_image_that_is_missing_is_named_with_what_to_unpack(kitti, tmp_path):
    (kitti / DRIVE / 'image_03' / 'data' / '0000000001.png').unlink()
    with pytest.raises(DatasetError, match=r'image_03/data/0000000001.png.*drive_0001_sync'):
        open_pairs('kitti', kitti)
    cityscapes = tmp_path / 'cityscapes'
    names = write_cityscapes(cityscapes)
    (cityscapes / 'rightImg8bit' / 'train' / 'ulm' / f'{names[0]}_rightImg8bit.png').unlink()
    with pytest.raises(DatasetError, match=rf'{names[0]}_rightImg8bit.png.*0 other of 2.*\.zip'):
        open_pairs('cityscapes', cityscapes)


def test_images_of_two_sizes_are_refused(kitti, tmp_path):
    right = kitti / DRIVE / 'image_03' / 'data' / '0000000000.png'
    write_image(right, noise_image(0, (HEIGHT, WIDTH - 1)))
    with pytest.raises(DatasetError, match=r'0000000000.png. is 32x47.* left image 32x48'):
        open_pairs('kitti', kitti).read(1)
    cityscapes = tmp_path / 'cityscapes'
    names = write_cityscapes(cityscapes)
    right = cityscapes / 'rightImg8bit' / 'train' / 'ulm' / f'{names[0]}_rightImg8bit.png'
    write_image(right, noise_image(0, (HEIGHT - 1, WIDTH)))
    with pytest.raises(DatasetError, match=rf'{names[0]}.* is 31x48.*its left one 32x48'):
        open_pairs('cityscapes', cityscapes).read(0)


def test_a_damaged_image_is_named(kitti):
    left = kitti / DRIVE / 'image_02' / 'data' / '0000000000.png'
    left.write_bytes(left.read_bytes()[:40])
    with pytest.raises(DatasetError, match=r'image_02/data/0000000000.png. is damaged'):
        open_pairs('kitti', kitti).read(1)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'calib_cam_to_cam.txt. is missing'),
        ('P_rect_02: 1 2 3\n', r"P_rect_02 ' 1 2 3', expected 3 x 4 numbers"),
        ('nothing: 1\n', "P_rect_02 '', expected 3 x 4 numbers"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_named(kitti, text, message):
    path = kitti / DAY / 'calib_cam_to_cam.txt'
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_pairs('kitti', kitti).read(0)


def test_cameras_that_are_swapped_are_refused(kitti):
    path = kitti / DAY / 'calib_cam_to_cam.txt'
    swapped = path.read_text().replace('P_rect_02', 'P').replace('P_rect_03', 'P_rect_02')
    path.write_text(swapped.replace('P:', 'P_rect_03:'))
    with pytest.raises(DatasetError, match=r'baseline -0.53.* expected positive'):
        open_pairs('kitti', kitti).read(0)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'is missing: give the list'),
        ('\n', 'is empty'),
        (f'{DRIVE} 0 l\nsomewhere 3 l\n', "line 2 is 'somewhere 3 l'"),
        (f'{DRIVE}\n', 'line 1 is'),
    ],
)
def test_a_list_that_cannot_be_read_is_named(kitti, text, message):
    path = kitti / 'list.txt'
    if text is not None:
        path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_pairs('kitti', kitti, files='list.txt')


def test_pairs_that_do_not_exist_are_refused(kitti):
    with pytest.raises(ValueError, match="no stereo pairs 'nyuv2': choose of cityscapes, kitti"):
        open_pairs('nyuv2', kitti)
    with pytest.raises(ValueError, match="'kitti' need the folder"):
        open_pairs('kitti')
    with pytest.raises(ValueError, match="data set 'kitti' has no split 'test': choose of train"):
        open_pairs('kitti', kitti, 'test')


def test_cityscapes_pairs_without_a_cap_keep_all_depth(tmp_path):
    write_cityscapes(tmp_path)
    nearest, farthest = open_pairs('cityscapes', tmp_path, max_depth_m=None).depth_range_m
    # What a disparity of 1/256 pixel, the smallest there is, measures.
    assert nearest < 80 < 2262.52 * 0.209313 * 256 < farthest
    with pytest.raises(ValueError, match='max_depth_m is 0'):
        open_pairs('cityscapes', tmp_path, max_depth_m=0)
