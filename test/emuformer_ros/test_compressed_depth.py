"""Depth of the transport compressedDepth, against its published formula and the raw images."""

import struct

import cv2
import numpy as np
import pytest
from evaluated import (
    CAMERA,
    CAMERA_INFO,
    DEPTH,
    HEIGHT,
    WIDTH,
    depth_mm,
    evaluate,
    metrics,
    rows_without_times,
    samples,
    stamp_ns,
)
from recordings import COMPRESSED, ROS2, Sample, header, write_ros2

from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.compressed_depth import decompress_depth
from emuformer_ros.bag_evaluation.truth_images import measured_depth
from emuformer_ros.bags.reading import Bag
from emuformer_ros.evaluate_bag import OK

TOPIC = f'{DEPTH}/compressedDepth'
QUANTIZATION, MAX_DEPTH_M = 100, 10
"""Defaults of compressed_depth_image_transport."""

A = QUANTIZATION * (QUANTIZATION + 1)
B = 1 - A / MAX_DEPTH_M


def message(pixels, encoding, stamp=0, a=0.0, b=0.0, form='compressedDepth png'):
    png = cv2.imencode('.png', pixels)[1].tobytes()
    data = np.frombuffer(struct.pack('<iff', 0, a, b) + png, np.uint8)
    return ROS2.types[COMPRESSED](header(stamp), f'{encoding}; {form}', data)


def quantised(depth_m):
    """What compressed_depth_image_transport's codec writes of 32FC1, pixel by pixel."""
    inverse = np.zeros(depth_m.shape, np.uint16)
    for place, depth in np.ndenumerate(depth_m):
        if depth < MAX_DEPTH_M:
            inverse[place] = int(A / depth + B)
    return inverse


def test_millimetres_are_the_pixels_of_the_png():
    for form in ('compressedDepth png', 'compressedDepth'):
        found = decompress_depth(message(depth_mm(1), '16UC1', form=form), TOPIC)
        np.testing.assert_array_equal(found, depth_mm(1))


def test_metres_come_back_within_the_step_of_the_quantisation():
    depth = np.random.default_rng(0).uniform(0.5, 12, (8, 9)).astype(np.float32)
    depth[0, 0] = np.nan
    found = decompress_depth(message(quantised(depth), '32FC1', a=A, b=B), TOPIC)
    for place, true in np.ndenumerate(depth):
        if not true < MAX_DEPTH_M:
            assert np.isnan(found[place])
            continue
        step = A / (A / true - 1) - true  # one step of the inverse depth, which was cut off
        assert -1e-4 * true <= found[place] - true <= step + 1e-4 * true


@pytest.mark.parametrize(
    ('image', 'reason'),
    [
        (message(depth_mm(0), '16UC1', form='compressedDepth rvl'), "set the transport's format"),
        (message(depth_mm(0), 'rgb8'), 'expected 16UC1 or 32FC1 in a PNG'),
        (message(depth_mm(0).astype(np.uint8), '16UC1'), 'is no PNG of one channel with 16'),
        (ROS2.types[COMPRESSED](header(0), '16UC1; compressedDepth png', np.zeros(5, np.uint8)),
         'is no PNG of one channel with 16'),
    ],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused(image, reason):
    with pytest.raises(EvaluationError, match=reason):
        decompress_depth(image, TOPIC)


def recorded(folder, name, truth):
    """A recording of three frames whose depth is given by `truth(index, stamp)`."""
    images = [s for s in samples(3) if s.topic in (CAMERA, CAMERA_INFO)]
    return write_ros2(folder / name, [*images, *(truth(i, stamp_ns(i)) for i in range(3))])


def test_a_recording_of_it_is_found_and_gives_the_figures_of_the_raw_one(checkpoints, tmp_path):
    def compressed(index, stamp):
        return Sample(TOPIC, COMPRESSED, stamp, message(depth_mm(index), '16UC1', stamp))

    bag = recorded(tmp_path, 'compressed', compressed)
    raw = write_ros2(tmp_path / 'raw', [s for s in samples(3) if 'labels' not in s.topic])
    options = ('--checkpoint', checkpoints['SegDepthFormer'], '--engine', 'torch', '--no-maps')
    assert evaluate(raw, '--output', tmp_path / 'expected', *options) == OK
    for name, asked in (('guessed', ()), ('asked', ('--depth-topic', DEPTH))):
        assert evaluate(bag, '--output', tmp_path / name, *options, *asked) == OK
        assert metrics(tmp_path / name)['bags'][0]['depth_topic'] == TOPIC
        expected = rows_without_times(tmp_path / 'expected')
        found = rows_without_times(tmp_path / name)
        assert [{**row, 'bag': ''} for row in found] == [{**row, 'bag': ''} for row in expected]


def test_metres_are_read_from_a_recording(tmp_path):
    depth = depth_mm(0).astype(np.float32) / 1000

    def compressed(index, stamp):
        image = message(quantised(np.where(depth > 0, depth, np.inf)), '32FC1', stamp, A, B)
        return Sample(TOPIC, COMPRESSED, stamp, image)

    with Bag(recorded(tmp_path, 'bag', compressed)) as bag:
        size = (HEIGHT, WIDTH)
        found = measured_depth(next(bag.messages([TOPIC])), size, np.inf, image_size=size)
    np.testing.assert_allclose(found[depth > 0], depth[depth > 0], rtol=2e-3)
    np.testing.assert_array_equal(found[depth == 0], 0)
