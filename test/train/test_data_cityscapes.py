import itertools
import json
import logging

import cv2
import numpy as np
import pytest

from emu_model.geometry import Intrinsics
from train.data import build
from train.data.__main__ import main
from train.data.cityscapes import CityscapesDataset, depth_from_disparity
from train.data.dataset import DatasetError

HEIGHT, WIDTH = 16, 32
FRAMES = {
    'train': [
        'aachen/aachen_000001_000019',
        'aachen/aachen_000000_000019',
        'ulm/ulm_000003_000019',
    ],
    'val': ['munster/munster_000000_000019', 'lindau/lindau_000002_000019'],
}
FX, BASELINE_M = 2262.52, 0.209313

# Name and label id of each class in the order of train ids, as the benchmark defines them.
CLASSES = {
    'road': 7, 'sidewalk': 8, 'building': 11, 'wall': 12, 'fence': 13, 'pole': 17,
    'traffic light': 19, 'traffic sign': 20, 'vegetation': 21, 'terrain': 22, 'sky': 23,
    'person': 24, 'rider': 25, 'car': 26, 'truck': 27, 'bus': 28, 'train': 31,
    'motorcycle': 32, 'bicycle': 33,
}  # fmt: skip


def file(root, kind, split, frame, ending):
    path = root / kind / split / f'{frame}_{ending}'
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def camera(baseline_m=BASELINE_M) -> str:
    return json.dumps(
        {
            'extrinsic': {
                'baseline': baseline_m, 'pitch': 0.038, 'roll': 0.0, 'x': 1.7, 'y': 0.1,
                'yaw': -0.0195, 'z': 1.22,
            },
            'intrinsic': {'fx': FX, 'fy': 2265.3017905988554, 'u0': 1096.98, 'v0': 513.137},
        }
    )  # fmt: skip


@pytest.fixture
def pixels():
    """Image, label ids and disparity values of each frame."""
    rng = np.random.default_rng(0)
    values = {}
    for split, frames in FRAMES.items():
        for frame in frames:
            disparity = rng.integers(0, 1 << 15, (HEIGHT, WIDTH)).astype(np.uint16)
            disparity[0, :6] = [0, 1, 2, 257, 1517, 65535]
            values[split, frame] = (
                rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
                rng.integers(0, 34, (HEIGHT, WIDTH)).astype(np.uint8),
                disparity,
            )
    return values


@pytest.fixture
def root(tmp_path, pixels):
    for (split, frame), (image, labels, disparity) in pixels.items():
        for kind, ending, values in (
            ('leftImg8bit', 'leftImg8bit.png', image[..., ::-1]),
            ('gtFine', 'gtFine_labelIds.png', labels),
            ('disparity', 'disparity.png', disparity),
        ):
            cv2.imwrite(str(file(tmp_path, kind, split, frame, ending)), values)
        file(tmp_path, 'camera', split, frame, 'camera.json').write_text(camera())
    return tmp_path


@pytest.mark.parametrize(
    ('split', 'published'), [('train', 'train'), ('validation', 'val'), ('test', 'val')]
)
def test_published_frames_are_read_right(root, pixels, split, published):
    dataset = build('cityscapes', root, split)
    assert len(dataset) == len(FRAMES[published])
    train_ids = {label: train_id for train_id, label in enumerate(CLASSES.values())}
    for index, frame in enumerate(sorted(FRAMES[published])):
        image, labels, disparity = pixels[published, frame]
        sample = dataset.read(index)
        np.testing.assert_array_equal(sample.image, image)
        assert sample.intrinsics == Intrinsics(FX, 2265.3017905988554, 1096.98, 513.137)
        assert sample.not_padding.all()
        assert (sample.classes.dtype, sample.depth.dtype) == (np.uint8, np.float32)
        for row, column in itertools.product(range(HEIGHT), range(WIDTH)):
            assert sample.classes[row, column] == train_ids.get(labels[row, column], 255)
            p = int(disparity[row, column])
            depth = BASELINE_M * FX / ((p - 1) / 256) if p > 1 else np.inf
            # Some operations in fp32.
            expected = pytest.approx(depth, rel=1e-6) if depth <= 80 else 0
            assert sample.depth[row, column] == expected


def test_rows_below_those_wanted_are_cut_off(root):
    whole, upper = (build('cityscapes', root, 'train', rows=rows).read(1) for rows in (None, 12))
    for name in ('image', 'classes', 'depth', 'not_padding'):
        np.testing.assert_array_equal(getattr(upper, name), getattr(whole, name)[:12])
    assert upper.intrinsics == whole.intrinsics


def test_the_classes_are_the_benchmarks(root):
    dataset = CityscapesDataset(root)
    assert dataset.labels.class_names == tuple(CLASSES)
    assert dataset.depth_range_m == (1.0, 80.0)


def test_uncapped_depth_keeps_every_measurement(root):
    row = CityscapesDataset(root, max_depth_m=None).read(0).depth[0]
    scale = 256 * BASELINE_M * FX
    expected = [0, 0, scale, scale / 256, scale / 1516, scale / 65534]
    assert row[:6] == pytest.approx(expected, rel=1e-6)
    dataset = CityscapesDataset(root, max_depth_m=None)
    assert dataset.depth_range_m[1] > scale


def test_zero_disparity_and_no_measurement_have_no_depth():
    disparity = np.array([[0, 1, 2]], np.uint16)
    depth = depth_from_disparity(disparity, fx=1000.0, baseline_m=0.5)
    np.testing.assert_array_equal(depth, [[0, 0, 128_000]])


def test_another_cap_is_kept_to(root):
    dataset = CityscapesDataset(root, max_depth_m=30)
    uncapped = CityscapesDataset(root, max_depth_m=None).read(1).depth
    np.testing.assert_array_equal(
        dataset.read(1).depth, np.where(uncapped <= 30, uncapped, np.float32(0))
    )
    with pytest.raises(ValueError, match='max_depth_m is -1'):
        CityscapesDataset(root, max_depth_m=-1)


def test_train_ids_stand_in_for_label_ids(root):
    expected = CityscapesDataset(root).read(0).classes
    for path in root.glob('gtFine/train/*/*_labelIds.png'):
        path.unlink()
    frame = sorted(FRAMES['train'])
    for index, name in enumerate(frame):
        classes = expected if index == 0 else np.zeros((HEIGHT, WIDTH), np.uint8)
        path = file(root, 'gtFine', 'train', name, 'gtFine_labelTrainIds.png')
        cv2.imwrite(str(path), classes)
    np.testing.assert_array_equal(CityscapesDataset(root).read(0).classes, expected)


def test_an_incomplete_download_is_warned_of(root, caplog):
    with caplog.at_level(logging.WARNING):
        CityscapesDataset(root, 'validation')
    assert 'holds 2 of the 500 published frames' in caplog.text


@pytest.mark.parametrize('kind', ['gtFine', 'disparity', 'camera'])
def test_a_missing_folder_is_named_with_its_archive(root, kind):
    (root / kind).rename(root / 'elsewhere')
    with pytest.raises(DatasetError) as error:
        CityscapesDataset(root)
    message = str(error.value)
    assert f"'{root}/{kind}/train/aachen/aachen_000000_000019_" in message
    assert 'as are those of 2 other of 3 images' in message
    assert f"unpack {kind}_trainvaltest.zip into '{root}'" in message


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r'leftImg8bit/train. holds no CITY/\*_leftImg8bit'):
        CityscapesDataset(tmp_path)


def test_wrong_files_are_named(root):
    first = sorted(FRAMES['train'])[0]
    dataset = CityscapesDataset(root)
    originals = {}

    def check(kind, ending, content, message):
        path = file(root, kind, 'train', first, ending)
        originals[path] = path.read_bytes()
        if isinstance(content, np.ndarray):
            cv2.imwrite(str(path), content)
        else:
            path.write_bytes(content)
        with pytest.raises(DatasetError, match=message) as error:
            dataset.read(0)
        assert str(path) in str(error.value)
        path.write_bytes(originals[path])

    half = (root / 'leftImg8bit/train' / f'{first}_leftImg8bit.png').read_bytes()[:300]
    small = np.zeros((8, 8), np.uint16)
    check('leftImg8bit', 'leftImg8bit.png', half, r'damaged or no image \(300 bytes\)')
    check('disparity', 'disparity.png', small, '8x8 .* its image is 16x32')
    check('disparity', 'disparity.png', small.astype(np.uint8), '1 channels of uint8')
    check('gtFine', 'gtFine_labelIds.png', np.zeros((16, 32, 3), np.uint8), '3 channels of uint8')
    check('camera', 'camera.json', b'{"intrinsic": {}}', "KeyError: 'fx'")
    check('camera', 'camera.json', b'{', 'is no camera file')
    check('camera', 'camera.json', camera(baseline_m=0).encode(), 'baseline 0.0')
    dataset.read(0)


def test_a_file_that_vanishes_is_named(root):
    dataset = CityscapesDataset(root)
    path = file(root, 'disparity', 'train', sorted(FRAMES['train'])[1], 'disparity.png')
    path.unlink()
    with pytest.raises(DatasetError, match=r'_disparity.png. is missing'):
        dataset.read(1)


def test_the_command_says_what_it_found(root, capsys):
    assert main(['cityscapes', str(root), '--every', '2']) == 0
    printed = capsys.readouterr().out
    assert 'train: 3 frames' in printed
    assert 'looked at 2 frames of 16x32' in printed
    assert 'focal length 2262.52 to 2262.52 px' in printed
