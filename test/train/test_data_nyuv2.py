import itertools
import pickle
import tracemalloc

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from train.data import build
from train.data.__main__ import main
from train.data.dataset import DatasetError
from train.data.nyuv2 import INTRINSICS, NYUv2Dataset

FRAMES, HEIGHT, WIDTH = 5, 12, 16
TRAIN, TEST = [0, 3, 4], [1, 2]


class Published:
    """Frames as numbers, and the files that NYU and Gupta et al. publish them in."""

    def __init__(self, frames=FRAMES, height=HEIGHT, width=WIDTH):
        rng = np.random.default_rng(0)
        shape = (frames, height, width)
        self.images = rng.integers(0, 256, (*shape, 3), np.uint8)
        self.depths = rng.uniform(0.7, 9.9, shape).astype(np.float32)
        # Just beyond the range, on its ends, and not a number.
        self.depths[:, 0, :5] = [0.0, 0.0005, 0.001, 10.0, 10.001]
        self.depths[:, 0, 5] = np.nan
        self.labels = rng.integers(0, 895, shape).astype(np.uint16)
        self.labels[:, 0, :2] = [0, 894]
        self.mapping = rng.integers(1, 41, 894).astype(np.uint8)

    @property
    def labels40(self) -> np.ndarray:
        """0 = unlabelled, 1…40, pixel by pixel."""
        flat = [0 if label == 0 else self.mapping[label - 1] for label in self.labels.ravel()]
        return np.array(flat, np.uint8).reshape(self.labels.shape)

    def write_frames(self, path) -> None:
        """MATLAB v7.3: HDF5 behind a header of 512 bytes, dimensions in reverse."""
        with h5py.File(path, 'w', userblock_size=512) as file:
            for name, values in (
                ('images', self.images.transpose(0, 3, 2, 1)),
                ('depths', self.depths.transpose(0, 2, 1)),
                ('labels', self.labels.transpose(0, 2, 1)),
            ):
                file.create_dataset(name, data=values, chunks=True, compression='gzip')
        with path.open('r+b') as file:
            file.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(512))

    def write_splits(self, path) -> None:
        columns = {
            name: 1 + np.array(frames, np.uint16)[:, None]
            for name, frames in (('trainNdxs', TRAIN), ('testNdxs', TEST))
        }
        scipy.io.savemat(path, columns)

    def write_mapping(self, path) -> None:
        scipy.io.savemat(path, {'mapClass': self.mapping[None]})

    def write_labels40(self, path, hdf5: bool) -> None:
        if hdf5:
            with h5py.File(path, 'w', userblock_size=512) as file:
                file['labels40'] = self.labels40.transpose(0, 2, 1)
        else:
            labels = np.moveaxis(self.labels40, 0, -1)
            scipy.io.savemat(path, {'labels40': labels}, do_compression=True)

    def write_folder(self, root) -> None:
        for kind in ('image', 'label40', 'depth'):
            (root / kind).mkdir()
        for split, frames in (('train', TRAIN), ('test', TEST)):
            (root / f'{split}.txt').write_text(''.join(f'{frame:04d}\n' for frame in frames))
        labels40 = self.labels40
        for frame in range(len(self.images)):
            name = f'{frame:04d}.png'
            millimetres = np.nan_to_num(self.depths[frame] * 1000).round().astype(np.uint16)
            cv2.imwrite(str(root / 'image' / name), self.images[frame][..., ::-1])
            cv2.imwrite(str(root / 'label40' / name), labels40[frame])
            cv2.imwrite(str(root / 'depth' / name), millimetres)


@pytest.fixture
def published():
    return Published()


@pytest.fixture
def mat_root(tmp_path, published, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    root = tmp_path / 'mat'
    root.mkdir()
    published.write_frames(root / 'nyu_depth_v2_labeled.mat')
    published.write_splits(root / 'splits.mat')
    published.write_mapping(root / 'classMapping40.mat')
    return root


@pytest.fixture
def folder_root(tmp_path, published):
    root = tmp_path / 'folder'
    root.mkdir()
    published.write_folder(root)
    return root


def assert_holds(dataset, published, frames, depth_tolerance_m=0.0):
    """Every pixel of every frame, by plain loops."""
    labels40 = published.labels40
    assert len(dataset) == len(frames)
    for index, frame in enumerate(frames):
        sample = dataset.read(index)
        assert (sample.index, sample.intrinsics) == (index, INTRINSICS)
        np.testing.assert_array_equal(sample.image, published.images[frame])
        assert sample.not_padding.all()
        assert (sample.classes.dtype, sample.depth.dtype) == (np.uint8, np.float32)
        for row, column in itertools.product(range(HEIGHT), range(WIDTH)):
            label = labels40[frame, row, column]
            assert sample.classes[row, column] == (255 if label == 0 else label - 1)
            depth = published.depths[frame, row, column]
            expected = depth if np.float32(0.001) <= depth <= 10 else 0
            assert abs(sample.depth[row, column] - expected) <= depth_tolerance_m


def test_published_frames_are_read_right(mat_root, published):
    assert_holds(build('nyuv2', mat_root, 'train'), published, TRAIN)
    assert_holds(build('nyuv2', mat_root, 'test'), published, TEST)


def test_validation_is_the_published_test_split(mat_root, published):
    assert_holds(build('nyuv2', mat_root, 'validation'), published, TEST)


@pytest.mark.parametrize('hdf5', [False, True], ids=['v5', 'v7.3'])
def test_mapped_labels_do_as_well_as_the_mapping(mat_root, published, hdf5):
    (mat_root / 'classMapping40.mat').unlink()
    published.write_labels40(mat_root / 'labels40.mat', hdf5)
    assert_holds(NYUv2Dataset(mat_root, 'train'), published, TRAIN)
    # Again, from what the first one may have converted.
    assert_holds(NYUv2Dataset(mat_root, 'test'), published, TEST)


def test_converted_labels_follow_their_file(mat_root, published):
    (mat_root / 'classMapping40.mat').unlink()
    published.write_labels40(mat_root / 'labels40.mat', hdf5=False)
    NYUv2Dataset(mat_root, 'train')
    published.mapping = published.mapping % 40 + 1
    published.write_labels40(mat_root / 'labels40.mat', hdf5=False)
    assert_holds(NYUv2Dataset(mat_root, 'train'), published, TRAIN)


def test_image_files_are_read_right(folder_root, published):
    # Half a millimetre of rounding.
    tolerance = {'depth_tolerance_m': 0.00051}
    published.depths[:, 0, :6] = [0.0, 0.0, 0.001, 10.0, 0.0, 0.0]
    cover = [(folder_root / 'depth' / f'{frame:04d}.png') for frame in range(FRAMES)]
    for frame, path in enumerate(cover):
        cv2.imwrite(str(path), (published.depths[frame] * 1000).round().astype(np.uint16))
    assert_holds(NYUv2Dataset(folder_root, 'train'), published, TRAIN, **tolerance)
    assert_holds(NYUv2Dataset(folder_root, 'test'), published, TEST, **tolerance)


def test_image_files_beyond_the_depth_range_hold_no_measurement(folder_root):
    depth = np.full((HEIGHT, WIDTH), 10_001, np.uint16)
    depth[0, 0] = 10_000
    cv2.imwrite(str(folder_root / 'depth' / '0000.png'), depth)
    read = NYUv2Dataset(folder_root, 'train').read(0).depth
    assert read[0, 0] == 10
    assert np.count_nonzero(read) == 1


def test_the_classes_are_forty(mat_root):
    dataset = NYUv2Dataset(mat_root)
    assert (dataset.name, len(dataset.labels)) == ('nyuv2', 40)
    assert dataset.depth_range_m == (0.001, 10.0)


def test_the_eigen_crop_leaves_the_image_and_drops_the_border(tmp_path):
    published = Published(frames=5, height=480, width=640)
    published.write_frames(tmp_path / 'nyu_depth_v2_labeled.mat')
    published.write_splits(tmp_path / 'splits.mat')
    published.write_mapping(tmp_path / 'classMapping40.mat')
    whole = NYUv2Dataset(tmp_path, 'test').read(0)
    cropped = NYUv2Dataset(tmp_path, 'test', eigen_crop=True).read(0)
    np.testing.assert_array_equal(cropped.image, whole.image)
    inside = np.zeros((480, 640), bool)
    inside[45:471, 41:601] = True
    np.testing.assert_array_equal(cropped.not_padding, inside)
    np.testing.assert_array_equal(cropped.classes, np.where(inside, whole.classes, 255))
    np.testing.assert_array_equal(cropped.depth, np.where(inside, whole.depth, 0))


def test_the_eigen_crop_needs_frames_of_its_size(mat_root):
    with pytest.raises(DatasetError, match='frames are 12x16'):
        NYUv2Dataset(mat_root, eigen_crop=True).read(0)


def test_frames_are_not_held_in_memory(tmp_path):
    published = Published(frames=5, height=120, width=160)
    published.write_frames(tmp_path / 'nyu_depth_v2_labeled.mat')
    published.write_splits(tmp_path / 'splits.mat')
    published.write_mapping(tmp_path / 'classMapping40.mat')
    dataset = NYUv2Dataset(tmp_path)
    frame_bytes = 120 * 160 * (3 + 1 + 4 + 1)
    dataset.read(0)
    tracemalloc.start()
    try:
        for _ in range(5):
            for index in range(len(dataset)):
                dataset.read(index)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < frame_bytes
    assert len(pickle.dumps(dataset)) < frame_bytes


def _truncate(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _overwrite(path) -> None:
    path.write_bytes(b'no such format')


def _rewrite(path, **variables) -> None:
    scipy.io.savemat(path, variables)


@pytest.mark.parametrize(
    ('file', 'damage', 'message'),
    [
        ('nyu_depth_v2_labeled.mat', _truncate, r'nyu_depth_v2_labeled.mat.* is damaged'),
        ('nyu_depth_v2_labeled.mat', _overwrite, r'nyu_depth_v2_labeled.mat.* is damaged'),
        ('nyu_depth_v2_labeled.mat', lambda p: p.unlink(), 'holds neither nyu_depth_v2_labeled'),
        ('splits.mat', lambda p: p.unlink(), r"splits.mat' is missing"),
        ('splits.mat', _overwrite, r"splits.mat' is damaged or no MATLAB file"),
        ('splits.mat', lambda p: _rewrite(p, other=1), "has no variable 'trainNdxs'"),
        ('splits.mat', lambda p: _rewrite(p, trainNdxs=[[6]]), 'gives frames 6…6 for train'),
        ('splits.mat', lambda p: _rewrite(p, trainNdxs=[[0]]), r'expected some of 1…5'),
        ('splits.mat', lambda p: _rewrite(p, trainNdxs=[]), 'gives frames none for train'),
        ('classMapping40.mat', lambda p: p.unlink(), 'neither classMapping40.mat nor labels40'),
        ('classMapping40.mat', lambda p: _rewrite(p, mapClass=[[1, 41]]), 'has classes 1…41'),
    ],
)
def test_wrong_files_are_named(mat_root, file, damage, message):
    damage(mat_root / file)
    with pytest.raises(DatasetError, match=message):
        NYUv2Dataset(mat_root, 'train')


def test_frames_of_other_shapes_are_refused(mat_root, published):
    path = mat_root / 'nyu_depth_v2_labeled.mat'
    published.depths = published.depths[:, :, :-1]
    published.write_frames(path)
    with pytest.raises(DatasetError, match=r'images \(5, 3, 16, 12\), depths \(5, 15, 12\)'):
        NYUv2Dataset(mat_root)
    with h5py.File(path, 'w') as file:
        file['images'] = np.zeros(3)
    with pytest.raises(DatasetError, match='lacks depths, labels, has images'):
        NYUv2Dataset(mat_root)


def test_a_class_without_mapping_is_an_error(mat_root):
    scipy.io.savemat(mat_root / 'classMapping40.mat', {'mapClass': np.ones((1, 893))})
    with pytest.raises(DatasetError, match='maps 893 classes, frame 0 has class 894'):
        NYUv2Dataset(mat_root).read(0)


@pytest.mark.parametrize('hdf5', [False, True], ids=['v5', 'v7.3'])
def test_labels_of_other_frames_are_refused(mat_root, published, hdf5):
    (mat_root / 'classMapping40.mat').unlink()
    published.labels = published.labels[:4]
    published.write_labels40(mat_root / 'labels40.mat', hdf5)
    with pytest.raises(DatasetError, match=r"labels40.mat' holds labels \(4, "):
        NYUv2Dataset(mat_root)


def test_wrong_image_files_are_named(folder_root):
    cv2.imwrite(str(folder_root / 'label40' / '0000.png'), np.full((HEIGHT, WIDTH), 41, np.uint8))
    cv2.imwrite(str(folder_root / 'depth' / '0003.png'), np.zeros((HEIGHT, 9), np.uint16))
    cv2.imwrite(str(folder_root / 'depth' / '0004.png'), np.zeros((HEIGHT, WIDTH), np.uint8))
    (folder_root / 'image' / '0002.png').write_bytes(b'\x89PNG')
    train, test = NYUv2Dataset(folder_root, 'train'), NYUv2Dataset(folder_root, 'test')
    for dataset, index, message in (
        (train, 0, "label40/0000.png' has label 41"),
        (train, 1, r"depth/0003.png' is 12x9 \(height x width\), its image is 12x16"),
        (train, 2, "depth/0004.png' has 1 channels of uint8, .* one channel of uint16"),
        (test, 1, "image/0002.png' is damaged or no image"),
    ):
        with pytest.raises(DatasetError, match=message):
            dataset.read(index)


@pytest.mark.parametrize(
    ('file', 'message'),
    [
        ('train.txt', "train.txt' is missing: list the names"),
        ('image/0003.png', "image/0003.png' is missing, and no .jpg either"),
        ('label40/0003.png', "label40/0003.png' is missing, and '.*train.txt' lists it"),
        ('depth/0003.png', "depth/0003.png' is missing, and"),
    ],
)
def test_missing_image_files_are_named_before_training(folder_root, file, message):
    (folder_root / file).unlink()
    with pytest.raises(DatasetError, match=message):
        NYUv2Dataset(folder_root, 'train')


def test_an_unknown_split_is_named(mat_root):
    with pytest.raises(ValueError, match="'nyuv2' has no split 'val': choose of train"):
        NYUv2Dataset(mat_root, 'val')


def test_the_command_says_what_it_found(mat_root, capsys):
    assert main(['nyuv2', str(mat_root), '--every', '1']) == 0
    printed = capsys.readouterr().out
    assert 'train: 3 frames' in printed
    assert 'test: 2 frames' in printed
    assert 'looked at 3 frames of 12x16' in printed
    assert '0.001 to 10.000 m' in printed


def test_the_command_names_what_is_wrong(mat_root, capsys):
    (mat_root / 'splits.mat').unlink()
    assert main(['nyuv2', str(mat_root)]) == 1
    assert "splits.mat' is missing" in capsys.readouterr().err
