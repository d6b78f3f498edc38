"""KITTI's frames for evaluation: depth of laser scans, and labels of the semantic benchmark."""

import json
import math

import numpy as np
import pytest
import torch
from stereo_files import DRIVE, noise_image, write_image, write_kitti_raw

import emu_model
from emu_model.sampling import predict_distribution
from train.data import build
from train.data.__main__ import main
from train.data.dataset import DatasetError
from train.data.kitti import inside
from train.data.kitti_raw import read_calibration
from train.evaluate import main as evaluate

SIZE = (375, 1242)


def write_scan(root, number, points):
    path = root / DRIVE / 'velodyne_points' / 'data' / f'{number:010d}.bin'
    path.parent.mkdir(parents=True, exist_ok=True)
    reflectance = np.ones((len(points), 1))
    np.hstack([points, reflectance]).astype(np.float32).tofile(path)
    return path


@pytest.fixture
def root(tmp_path):
    write_kitti_raw(tmp_path, frames=1)
    write_image(tmp_path / DRIVE / 'image_02/data/0000000000.png', noise_image(0, SIZE))
    (tmp_path / 'eigen_test_files.txt').write_text(f'{DRIVE} 0 l\n')
    rng = np.random.default_rng(0)
    points = np.stack(
        [rng.uniform(-10, 100, 4000), rng.uniform(-30, 30, 4000), rng.uniform(-2, 3, 4000)], axis=1
    )
    # A second point right behind each, which is hidden by the first.
    write_scan(tmp_path, 0, np.vstack([points, 1.001 * points]))
    return tmp_path


def depth_by_hand(points, calibration):
    """{(row, column): depth in metres}, point by point."""
    projection = calibration.projections['left'] @ calibration.lidar_to_camera
    nearest = {}
    for x, y, z in points.astype(np.float64):
        if x < 0:
            continue
        u, v, depth = projection @ np.array([x, y, z, 1.0])
        if depth <= 0:
            continue
        column, row = round(u / depth) - 1, round(v / depth) - 1
        if 0 <= row < SIZE[0] and 0 <= column < SIZE[1]:
            nearest[row, column] = min(depth, nearest.get((row, column), math.inf))
    return nearest


def test_depth_is_that_of_the_nearest_point_in_each_pixel(root):
    dataset = build('kitti', root, 'test', crop=None)
    sample = dataset.read(0)
    scan = root / DRIVE / 'velodyne_points' / 'data' / '0000000000.bin'
    points = np.fromfile(scan, np.float32).reshape(-1, 4)[:, :3]
    calibration = read_calibration(root / DRIVE.split('/')[0])
    expected = np.zeros(SIZE, np.float32)
    for pixel, depth in depth_by_hand(points, calibration).items():
        expected[pixel] = depth if depth <= 80 else 0
    assert (expected > 0).sum() > 500
    np.testing.assert_allclose(sample.depth, expected, rtol=1e-6)
    assert (sample.classes == 255).all()
    np.testing.assert_array_equal(sample.image, noise_image(0, SIZE))


@pytest.mark.parametrize(('cap', 'farthest'), [(None, 100), (50.0, 50)])
def test_depth_may_have_no_cap(cap, farthest, root):
    depth = build('kitti', root, 'test', crop=None, max_depth_m=cap).read(0).depth
    assert farthest - 2 < depth.max() <= farthest


@pytest.mark.parametrize('cap', [0, -80.0])
def test_a_cap_that_leaves_no_depth_is_refused(cap, root):
    with pytest.raises(ValueError, match=rf'max_depth_m is {cap}: give a depth over 0\.001 m, or'):
        build('kitti', root, 'test', max_depth_m=cap)


def test_the_scanner_looks_along_the_camera(root):
    # 20 m ahead of the scanner is 0.27 m less ahead of the camera, near the principal point.
    write_scan(root, 0, np.array([[20.0, 0.0, 0.0]]))
    depth = build('kitti', root, 'test', crop=None).read(0).depth
    ((row, column),) = np.argwhere(depth)
    assert depth[row, column] == pytest.approx(20 - 0.27, abs=0.01)
    assert abs(column - 609.6) < 15
    assert abs(row - 172.9) < 25


def test_crops_are_the_published_ones(root):
    # As pixels of an image of KITTI's size, in the evaluation code that papers share.
    rows, columns = np.nonzero(inside('eigen', SIZE))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (124, 342, 44, 1197)
    rows, columns = np.nonzero(inside('garg', SIZE))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (153, 371, 44, 1197)
    sample = build('kitti', root, 'test').read(0)
    np.testing.assert_array_equal(sample.not_padding, inside('eigen', SIZE))
    whole = build('kitti', root, 'test', crop=None).read(0).depth
    np.testing.assert_array_equal(sample.depth, np.where(inside('eigen', SIZE), whole, 0))


def test_files_that_cannot_be_used_are_named(root):
    scan = root / DRIVE / 'velodyne_points' / 'data' / '0000000000.bin'
    scan.write_bytes(scan.read_bytes()[:-4])
    with pytest.raises(DatasetError, match=r'0000000000.bin. holds \d+ numbers.*four for each'):
        build('kitti', root, 'test').read(0)
    scan.unlink()
    with pytest.raises(DatasetError, match=r'0000000000.bin. is missing.*velodyne_points'):
        build('kitti', root, 'test').read(0)
    with pytest.raises(ValueError, match="crop 'center' is unknown: choose of eigen, garg"):
        build('kitti', root, 'test', crop='center')
    with pytest.raises(ValueError, match="'kitti' has no split 'train': choose of validation"):
        build('kitti', root, 'train')


def test_scans_need_the_scanners_calibration(root):
    (root / DRIVE.split('/')[0] / 'calib_velo_to_cam.txt').unlink()
    with pytest.raises(DatasetError, match=r'calib_velo_to_cam.txt is missing'):
        build('kitti', root, 'test').read(0)


@pytest.fixture
def semantics(tmp_path):
    labels = np.arange(34, dtype=np.uint8).repeat(2).reshape(2, 34)
    for name in ('000000_10.png', '000001_10.png'):
        write_image(tmp_path / 'training' / 'image_2' / name, noise_image(1, (2, 34)))
        write_image(tmp_path / 'training' / 'semantic' / name, labels)
    return tmp_path, labels


def test_labels_of_the_semantic_benchmark_are_cityscapes_classes(semantics):
    root, labels = semantics
    dataset = build('kitti_semantics', root, 'test')
    assert len(dataset) == 2
    sample = dataset.read(1)
    # Road, traffic light and bicycle; the ego vehicle and trailers are not evaluated.
    for label_id, train_id in ((7, 0), (19, 6), (33, 18), (1, 255), (30, 255)):
        assert set(sample.classes[labels == label_id]) == {train_id}
    assert not sample.depth.any()


def test_labels_of_another_size_are_refused(semantics):
    root, labels = semantics
    write_image(root / 'training' / 'semantic' / '000000_10.png', labels[:1])
    with pytest.raises(DatasetError, match=r'semantic/000000_10.png. is 1x34.* its image is 2x34'):
        build('kitti_semantics', root, 'test').read(0)
    with pytest.raises(DatasetError, match=r'image_2. holds no images: unpack data_semantics.zip'):
        build('kitti_semantics', root / 'elsewhere', 'test')


def test_the_command_that_looks_at_data_sets_knows_them(root, semantics, capsys):
    assert main(['kitti', str(root)]) == 0
    assert 'validation and test: 1 frames' in capsys.readouterr().out
    assert main(['kitti_semantics', str(semantics[0])]) == 0
    # Both splits are the same frames, which are read once.
    said = capsys.readouterr().out
    assert 'validation and test: 2 frames' in said
    assert said.count('looked at') == 1


def test_classes_of_another_label_set_are_not_compared(semantics, trained, tmp_path, capsys):
    root, _ = semantics
    output = tmp_path / 'figures.json'
    command = [str(trained), '--data=kitti_semantics', f'--root={root}', f'--output={output}']
    assert evaluate([*command, '--device=cpu', '--workers=0']) == 1
    error = capsys.readouterr().err
    assert "knows 15 classes of 'synthetic', data set 'kitti_semantics' has 19 of" in error
    assert not output.exists()


def test_depth_is_reported_as_papers_on_kitti_do(root, trained, tmp_path):
    """A frame of its own size is predicted at the network's and compared at its own."""
    output = tmp_path / 'figures.json'
    command = [str(trained), '--data=kitti', f'--root={root}', '--eigen', '--device=cpu']
    command += ['--workers=0', f'--output={output}']
    assert evaluate([*command, '--data-options={"crop": "garg"}']) == 0
    figures = json.loads(output.read_text())
    sample = build('kitti', root, 'test', crop='garg').read(0)
    network = emu_model.load(trained)
    image = torch.from_numpy(sample.image).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.info.mean, network.info.std))
    resized = torch.nn.functional.interpolate(image, (32, 48), mode='bilinear', antialias=True)
    depth = predict_distribution(network, (resized - mean) / std, SIZE).depth[0].detach().numpy()
    # From the 40 px that it was trained with to what is left of KITTI's focal length at 48 pixels.
    depth *= np.float32(721.5377 * 48 / 1242 / 40)
    measured = sample.depth > 0
    assert measured.sum() > 200
    error = np.abs(depth[measured].clip(1e-3, 80) - sample.depth[measured])
    assert figures['depth']['pixels'] == measured.sum()
    assert figures['depth_eigen']['rmse'] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    expected = (error / sample.depth[measured]).mean()
    assert figures['depth_eigen']['abs_rel'] == pytest.approx(expected, rel=1e-4)
    # There are no labels to compare classes with.
    assert figures['semantic']['miou'] is None
