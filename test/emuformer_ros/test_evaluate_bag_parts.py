"""The pieces of an evaluation on their own, against plain loops and closed forms."""

import threading

import numpy as np
import pytest
from mcap.reader import make_reader
from recordings import IMAGE, INFO, Sample, camera_info, camera_samples, image, write_ros2

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.alarms import mark_alarms
from emuformer_ros.bag_evaluation.bag_index import index_bag
from emuformer_ros.bag_evaluation.comparison import Comparison
from emuformer_ros.bag_evaluation.depth_by import EDGES_M, DepthErrorsBy
from emuformer_ros.bag_evaluation.frame_table import read_table, write_table
from emuformer_ros.bag_evaluation.gallery import doubt, pick_extremes
from emuformer_ros.bag_evaluation.in_thread import in_thread
from emuformer_ros.bag_evaluation.mcap_joining import join_mcap
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.selection import Selection, select_frames
from emuformer_ros.bag_evaluation.topics import Topics
from emuformer_ros.bag_evaluation.truth_images import labelled_classes, measured_depth
from emuformer_ros.bags.reading import Bag, BagMessage, typestore
from emuformer_ros.bags.writing import write_bag


def message_of(pixels, encoding, **changes):
    made = image(pixels, encoding)
    for name, value in changes.items():
        setattr(made, name, value)
    return BagMessage('/depth', IMAGE, 0, bytes(typestore().serialize_cdr(made, IMAGE)))


def test_depth_in_millimetres_and_in_metres_is_the_same():
    metres = np.array([[1.5, 0.001, 65.535]], np.float32)
    millimetres = np.array([[1500, 1, 65535]], np.uint16)
    for message in (message_of(metres, '32FC1'), message_of(millimetres, '16UC1')):
        found = measured_depth(message, (1, 3), np.inf, image_size=(1, 3))
        np.testing.assert_allclose(found, metres, rtol=1e-6)


def test_what_is_no_measurement_is_zero():
    values = np.array([[np.nan, np.inf, -1.0, 0.0, 9.0, 3.0]], np.float32)
    found = measured_depth(message_of(values, '32FC1'), (1, 6), 8.0, image_size=(1, 6))
    np.testing.assert_array_equal(found, [[0, 0, 0, 0, 0, 3]])


def test_big_endian_and_padded_depth_is_read():
    values = np.array([[1000, 2000], [3000, 4000]], '>u2')
    padded = np.zeros((2, 6), np.uint8)
    padded[:, :4] = values.view(np.uint8)
    message = message_of(
        np.zeros((2, 2), np.uint16), '16UC1', is_bigendian=1, step=6, data=padded.ravel()
    )
    found = measured_depth(message, (2, 2), np.inf, image_size=(2, 2))
    np.testing.assert_allclose(found, [[1, 2], [3, 4]])


def test_labels_of_half_the_size_are_the_nearest_pixel():
    values = np.array([[1, 2], [3, 255]], np.uint8)
    found = labelled_classes(message_of(values, 'mono8'), (4, 4), image_size=(4, 4))
    np.testing.assert_array_equal(found, values.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize('scale', [1, 2])
def test_ground_truth_of_the_cameras_shape_is_stretched_to_maps_of_another(scale):
    rng = np.random.default_rng(5)
    size, image_size = (8, 8), (12, 24)
    shape = tuple(length // scale for length in image_size)
    ids, metres = rng.integers(0, 7, shape, np.uint8), rng.uniform(1, 9, shape)
    depth = metres.astype(np.float32)
    found = (
        labelled_classes(message_of(ids, 'mono8'), size, image_size=image_size),
        measured_depth(message_of(depth, '32FC1'), size, np.inf, image_size=image_size),
    )
    for stretched, values in zip(found, (ids, depth)):
        for row, column in np.ndindex(size):
            # The pixel that the middle of the map's pixel lies in.
            place = (2 * row + 1) * shape[0] // 16, (2 * column + 1) * shape[1] // 16
            assert stretched[row, column] == values[place]


def test_ground_truth_of_another_kind_or_shape_is_refused():
    with pytest.raises(EvaluationError, match="has the encoding 'rgb8', expected 16UC1 or"):
        measured_depth(
            message_of(np.zeros((2, 2, 3), np.uint8), 'rgb8'), (2, 2), 9.0, image_size=(2, 2)
        )
    square = message_of(np.zeros((20, 20), np.uint8), 'mono8')
    for size in ((48, 64), (20, 20)):  # of the maps, which does not matter
        with pytest.raises(EvaluationError, match='20x20 and the camera image is 64x48: register'):
            labelled_classes(square, size, image_size=(48, 64))
    message = message_of(np.zeros((2, 4), np.uint16), '16UC1', data=np.zeros(3, np.uint8))
    with pytest.raises(EvaluationError, match='has 3 bytes in rows of 8'):
        measured_depth(message, (2, 4), 9.0, image_size=(2, 4))


def test_a_frame_has_the_nearest_ground_truth_that_no_other_is_nearer_to(tmp_path):
    rng = np.random.default_rng(3)
    frames = np.arange(20) * 10**8
    truths = np.sort(rng.integers(0, 20 * 10**8, 30))
    pixel = np.zeros((2, 2, 3), np.uint8)
    recorded = [Sample('/image', IMAGE, int(t), image(pixel, 'rgb8', int(t))) for t in frames]
    recorded += [
        Sample('/depth', IMAGE, int(t), image(pixel[..., 0], 'mono8', int(t))) for t in truths
    ]
    recorded.sort(key=lambda sample: sample.time_ns)
    with Bag(write_ros2(tmp_path / 'bag', recorded)) as bag:
        options = Options((tmp_path / 'bag',), tolerance_s=0.03)
        index = index_bag(bag, Topics('/image', depth='/depth'), options)
    expected = {}
    for number, frame in enumerate(frames):
        nearest = min(truths, key=lambda truth: abs(truth - frame))
        of_it = min(frames, key=lambda other: abs(other - nearest))
        if abs(nearest - frame) <= 3 * 10**7 and of_it == frame:
            expected[number] = (int(nearest), 0)
    assert {f.number: f.depth for f in index.frames if f.depth} == expected
    assert 0 < len(expected) < len(frames)


def test_each_frame_has_the_camera_info_of_its_stamp(tmp_path):
    with Bag(write_ros2(tmp_path / 'bag', camera_samples(4))) as bag:
        index = index_bag(bag, Topics('/camera/image_raw'), Options((tmp_path,)))
    assert [frame.camera_info for frame in index.frames] == [0, 1, 2, 3]
    assert len(index.camera_infos) == 4


def test_camera_infos_that_differ_in_their_stamp_alone_are_one(tmp_path):
    recorded = [
        Sample(s.topic, INFO, s.time_ns, camera_info(s.time_ns)) if s.msgtype == INFO else s
        for s in camera_samples(4)
    ]
    with Bag(write_ros2(tmp_path / 'bag', recorded)) as bag:
        index = index_bag(bag, Topics('/camera/image_raw'), Options((tmp_path,)))
    assert [frame.camera_info for frame in index.frames] == [0, 0, 0, 0]
    assert len(index.camera_infos) == 1


def part(path, times, topics=('/a', '/b')):
    with write_bag(path) as bag:
        for topic in topics:
            bag.add_topic(topic, IMAGE)
        for time_ns in times:
            message = image(np.full((300, 400), time_ns % 251, np.uint8), 'mono8', time_ns)
            for topic in topics:
                bag.write(topic, time_ns, typestore().serialize_cdr(message, IMAGE))
    return path


def test_joined_files_have_the_messages_of_all_parts(tmp_path):
    times = [range(0, 12), range(12, 12), range(12, 30)]
    parts = [part(tmp_path / f'{i}.mcap', each) for i, each in enumerate(times)]
    join_mcap(parts, tmp_path / 'all.mcap')
    whole = part(tmp_path / 'whole.mcap', range(30))
    with Bag(tmp_path / 'all.mcap') as joined, Bag(whole) as expected:
        assert joined.topics == expected.topics
        assert list(joined.messages()) == list(expected.messages())
        assert [m.time_ns for m in joined.messages(['/b'], 10, 14)] == [10, 11, 12, 13]
    with (tmp_path / 'all.mcap').open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_summary().statistics.message_count == 60
        assert [m.log_time for _, _, m in reader.iter_messages('/a')] == list(range(30))


def test_files_of_other_topics_are_not_joined(tmp_path):
    parts = [part(tmp_path / '0.mcap', [1]), part(tmp_path / '1.mcap', [2], ('/a', '/c'))]
    with pytest.raises(ValueError, match=r"1.mcap' has other topics than"):
        join_mcap(parts, tmp_path / 'all.mcap')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['0.mcap', '1.mcap']


def test_items_made_in_a_thread_come_in_order_and_so_does_an_error():
    names = set()

    def items():
        for index in range(5):
            names.add(threading.current_thread().name)
            yield index
        raise OSError('disk gone')

    found = []
    with pytest.raises(OSError, match='disk gone'):
        found.extend(item for item in in_thread(items()))
    assert found == [0, 1, 2, 3, 4]
    assert threading.main_thread().name not in names


def test_closing_ends_the_thread_and_what_feeds_it():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    steps = in_thread(in_thread(endless()))
    assert next(steps) == 1
    before = threading.active_count()
    steps.close()
    assert closed.is_set()
    assert threading.active_count() == before - 2


def test_depth_errors_by_distance_and_class_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    sums = DepthErrorsBy(3)
    total = DepthErrorsBy(3)
    pixels = []
    for _ in range(2):
        shape = (20, 30)
        depth, target = rng.uniform(0, 100, shape), rng.uniform(0, 100, shape)
        target[rng.random(shape) < 0.2] = 0
        variance = rng.uniform(0, 4, shape)
        classes = rng.choice([0, 2, 255], shape).astype(np.uint8)
        sums.add(*(np.float32(v) for v in (depth, target, variance)), classes)
        total.add_sums(sums.sums())
        sums.reset()
        pixels += list(zip(*(v.ravel() for v in (depth, target, variance, classes))))
    figures = total.figures(('a', 'b', 'c'))
    for row in figures['by_distance']:
        end = row['to_m'] or np.inf
        own = [p for p in pixels if p[1] > 0 and row['from_m'] <= p[1] < end]
        check(row, own)
    assert [row['from_m'] for row in figures['by_distance']] == list(EDGES_M)
    assert [row['name'] for row in figures['by_class']] == ['a', 'c']
    for row, number in zip(figures['by_class'], (0, 2)):
        check(row, [p for p in pixels if p[1] > 0 and p[3] == number])


def check(row, pixels):
    depth, target, variance, _ = (np.array(values, float) for values in zip(*pixels))
    assert row['pixels'] == len(pixels)
    np.testing.assert_allclose(row['rmse'], np.sqrt(np.mean((depth - target) ** 2)), rtol=1e-5)
    error = np.abs(depth - target)
    np.testing.assert_allclose(row['mean_absolute_error'], error.mean(), rtol=1e-5)
    np.testing.assert_allclose(row['abs_rel'], np.mean(error / target), rtol=1e-5)
    ratio = np.maximum(depth / target, target / depth)
    np.testing.assert_allclose(row['delta1'], np.mean(ratio < 1.25), rtol=1e-5)
    np.testing.assert_allclose(row['predicted_std'], np.sqrt(variance.mean()), rtol=1e-5)


def test_a_table_keeps_numbers_text_and_gaps(tmp_path):
    rows = [
        {'bag': 'a, "b"', 'frame': 0, 'stamp_ns': 1_700_000_000_123_456_789, 'rmse': 0.1234567},
        {'bag': 'c', 'frame': 1, 'stamp_ns': 2, 'rmse': None, 'alarm': 'excess'},
    ]
    write_table(tmp_path / 'frames.csv', rows)
    found = read_table(tmp_path / 'frames.csv')
    assert found == [{**rows[0], 'alarm': None}, {**rows[1], 'rmse': None}]


def test_alarms_are_marked_per_recording_with_their_peak():
    info = CheckpointInfo(
        'DepthFormer', 'mit_b0', 256,
        normal_uncertainty={'depth_std': {'frame_mean': {'0.95': 1.0, '0.99': 2.0}}},
    )  # fmt: skip
    means = [1, 5, 5, 7, 5, 1, 1, 1, 1]
    rows = [
        # Twice the focal length: what the network said is half of it.
        {'bag': bag, 'frame': 10 + i, 'time_s': i / 2, 'depth_std_mean': 2 * m, 'depth_scale': 2.0}
        for bag in ('a', 'b')
        for i, m in enumerate(means)
    ]
    rises = mark_alarms(rows, info)
    expected = ['normal', 'excess', 'excess', *['alarm'] * 4, 'normal', 'normal']
    assert [row['alarm'] for row in rows] == 2 * expected
    assert [(r.bag, r.start_s, r.end_s, r.by) for r in rises] == [
        ('a', 0.5, 3.0, ('depth_std',)),
        ('b', 0.5, 3.0, ('depth_std',)),
    ]
    assert (rises[0].peak_frame, rises[0].peak_ratio) == (13, 3.5)


@pytest.mark.parametrize(
    ('entropy_over', 'depth_over', 'expected'),
    [
        ([(0.0, 0.8)], [(0.8, 2.5)], [(0.8, 3.4, ('depth_std',))]),
        ([(0.4, 2.5)], [(0.0, 2.5)], [(0.0, 3.4, ('depth_std', 'entropy'))]),
        ([(0.4, 2.5)], [(0.0, 0.6), (0.8, 1.2)], [(0.4, 3.4, ('entropy',))]),
        # The depth's excess begins while the entropy is in alarm, and outlasts it.
        (
            [(0.0, 1.5)],
            [(2.2, 4.0)],
            [(0.0, 2.4, ('entropy',)), (2.2, 4.9, ('depth_std',))],
        ),
    ],
)
def test_an_alarm_starts_with_the_excess_of_what_raised_it(entropy_over, depth_over, expected):
    info = CheckpointInfo(
        'SegDepthFormer', 'mit_b0', 256,
        normal_uncertainty={
            name: {'frame_mean': {'0.95': 1.0, '0.99': 2.0}} for name in ('entropy', 'depth_std')
        },
    )  # fmt: skip

    def mean(time_s, over):
        return 3.0 if any(start <= time_s < end for start, end in over) else 0.5

    times = [index / 10 for index in range(70)]
    rows = [
        {'bag': 'a', 'frame': index, 'time_s': time_s, 'depth_scale': 1.0,
         'entropy_mean': mean(time_s, entropy_over), 'depth_std_mean': mean(time_s, depth_over)}
        for index, time_s in enumerate(times)
    ]  # fmt: skip
    rises = mark_alarms(rows, info)
    assert [(rise.start_s, rise.end_s, rise.by) for rise in rises] == expected
    assert [rise.peak_frame for rise in rises] == [times.index(start) for start, _, _ in expected]


def test_selected_frames_are_uncertain_and_do_not_look_alike():
    scores = [1.0, 0.9, 0.89, 0.8, 0.1, 0.1]
    grey = [10, 11, 200, 12, 90, 255]
    rows = [{'entropy_mean': score} for score in scores]
    thumbnails = np.array([np.full((6, 8, 3), value, np.uint8) for value in grey])
    chosen = select_frames(rows, thumbnails, Selection(3, 'semantic'))
    # First the most uncertain, then the uncertain one that looks other; of the rest 0.1 * 55
    # (frame 5 to 2), 0.1 * 80 (frame 4 to 0), 0.8 * 2: frame 4.
    assert [index for index, _, _ in chosen] == [0, 2, 4]
    assert [distance for _, _, distance in chosen] == [np.inf, 190, 80]
    everything = select_frames(rows, thumbnails, Selection(99, 'semantic'))
    assert sorted(index for index, _, _ in everything) == list(range(6))


def test_of_no_frames_none_is_selected():
    thumbnails = np.zeros((0, 6, 8, 3), np.uint8)
    assert select_frames([], thumbnails, Selection(3, 'semantic')) == []


def test_only_uncertain_frames_are_candidates():
    rng = np.random.default_rng(0)
    rows = [{'entropy_mean': value} for value in np.linspace(0, 1, 200)]
    thumbnails = rng.integers(0, 256, (200, 6, 8, 3), np.uint8)
    chosen = select_frames(rows, thumbnails, Selection(10, 'semantic'))
    assert min(index for index, _, _ in chosen) >= 150


def test_doubt_is_the_larger_uncertainty_relative_to_what_is_normal():
    info = CheckpointInfo(
        'SegDepthFormer', 'mit_b0', 256,
        normal_uncertainty={
            'entropy': {'frame_mean': {'0.95': 0.5}}, 'depth_std': {'frame_mean': {'0.95': 4.0}}
        },
    )  # fmt: skip
    rows = [
        {'entropy_mean': entropy, 'depth_std_mean': std, 'depth_scale': 2.0}
        for entropy, std in ((1.0, 2.0), (0.1, 12.0), (0.1, 0.8))
    ]
    np.testing.assert_allclose(doubt(rows, info), [2.0, 1.5, 0.2])
    entropies = [{'entropy_mean': value} for value in np.linspace(0, 2, 101)]
    unknown = CheckpointInfo('SegFormer', 'mit_b0', 256)
    np.testing.assert_allclose(doubt(entropies, unknown), np.linspace(0, 2, 101) / 1.9)


def test_extremes_are_spread_over_the_recording_while_there_are_enough():
    values = np.zeros(100)
    values[50:54] = (9, 8, 7, 6)
    values[90] = 5
    assert pick_extremes(values, 2, highest=True) == [50, 90]
    assert pick_extremes(np.array([1.0, 3.0, 2.0]), 5, highest=True) == [1, 2, 0]


def test_frames_are_compared_by_stamp_and_by_factor(tmp_path):
    old = [{'bag': 'a', 'stamp_ns': s, 'frame': s, 'entropy_mean': 1.0} for s in range(4)]
    new = [
        {'bag': 'a', 'stamp_ns': s, 'frame': 10 + s, 'entropy_mean': mean}
        for s, mean in ((1, 1.0), (2, 0.25), (3, 2.0), (9, 9.0))
    ]
    changed = Comparison(tmp_path, {}, old).most_changed(new, 5)
    assert [name for name, _ in changed] == [('a', 12), ('a', 13)]
    np.testing.assert_allclose([factor for _, factor in changed], [0.25, 2.0])
