import numpy as np
import pytest
from recordings import (
    COMPRESSED,
    IMAGE,
    INFO,
    Sample,
    camera_info,
    camera_samples,
    compressed,
    image,
    pixels,
    write_ros2,
)

from emuformer_ros.bags.cameras import (
    camera_frames,
    find_camera_info_topic,
    find_image_topic,
)
from emuformer_ros.bags.reading import Bag, BagError, decode
from emuformer_ros.image_topics import base_topic, camera_info_sibling

COLOUR = Sample('/front/image_raw', IMAGE, 1, image(pixels(0), 'bgr8'))
OTHER_COLOUR = Sample('/rear/image_raw', IMAGE, 2, image(pixels(1), 'rgb8'))
BAYER = Sample('/bayer/image_raw', IMAGE, 2, image(pixels(1, channels=1), 'bayer_rggb8'))
GREY = Sample('/grey/image_raw', IMAGE, 3, image(pixels(1, channels=1), 'mono8'))
JPEG = Sample('/front/image_raw/compressed', COMPRESSED, 4, compressed(pixels(0)))
DEPTH_MM = Sample('/depth/image_raw', IMAGE, 5, image(np.ones((6, 8), np.uint16), '16UC1'))
DEPTH_M = Sample('/depth/image_rect', IMAGE, 6, image(np.ones((6, 8), np.float32), '32FC1'))
DEPTH_PNG = Sample('/depth/image_raw/compressedDepth', COMPRESSED, 7, compressed(pixels(0)))
INFO_ONLY = Sample('/front/camera_info', INFO, 8, camera_info())


@pytest.fixture
def bag_of(tmp_path):
    opened = []

    def open_bag(samples):
        opened.append(Bag(write_ros2(tmp_path / f'bag_{len(opened)}', samples)))
        return opened[-1]

    yield open_bag
    for bag in opened:
        bag.close()


@pytest.mark.parametrize(
    ('samples', 'expected'),
    [
        ([COLOUR, DEPTH_MM, DEPTH_M, DEPTH_PNG, INFO_ONLY], COLOUR.topic),
        ([BAYER, DEPTH_M], BAYER.topic),
        ([COLOUR, GREY], COLOUR.topic),
        ([GREY, DEPTH_MM], GREY.topic),
        ([JPEG, DEPTH_PNG], JPEG.topic),
        ([COLOUR, JPEG], COLOUR.topic),
    ],
)
def test_the_only_camera_is_found(bag_of, samples, expected):
    assert find_image_topic(bag_of(samples)) == expected


def test_a_camera_is_found_by_its_first_image_that_can_be_read(bag_of):
    damaged = [Sample(COLOUR.topic, IMAGE, 0, data) for data in (b'', bytes(40))]
    assert find_image_topic(bag_of([*damaged, COLOUR])) == COLOUR.topic


def test_several_cameras_are_listed_to_choose_from(bag_of):
    with pytest.raises(BagError, match=r'2 image topics: choose one of /front/.*, /rear/'):
        find_image_topic(bag_of([COLOUR, OTHER_COLOUR, DEPTH_M]))


def test_a_recording_without_a_camera_lists_what_it_has(bag_of):
    with pytest.raises(BagError, match=r'no camera images, only /depth/image_rect \(sensor_msgs'):
        find_image_topic(bag_of([DEPTH_M]))


def test_the_topic_asked_for_is_taken(bag_of):
    bag = bag_of([COLOUR, OTHER_COLOUR, JPEG])
    assert find_image_topic(bag, '/rear/image_raw') == '/rear/image_raw'
    assert find_image_topic(bag, JPEG.topic) == JPEG.topic


def test_the_raw_name_of_a_topic_that_is_only_there_compressed_finds_it(bag_of):
    assert find_image_topic(bag_of([JPEG]), '/front/image_raw') == JPEG.topic


@pytest.mark.parametrize(
    ('topic', 'reason'),
    [
        ('/nowhere', "no topic '/nowhere', only /front/camera_info"),
        ('/front/camera_info', 'is sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image'),
    ],
)
def test_a_topic_without_images_is_refused(bag_of, topic, reason):
    with pytest.raises(BagError, match=reason):
        find_image_topic(bag_of([COLOUR, INFO_ONLY]), topic)


@pytest.mark.parametrize(
    ('topic', 'base', 'sibling'),
    [
        ('/camera/image_raw', '/camera/image_raw', '/camera/camera_info'),
        ('/camera/image_raw/compressed', '/camera/image_raw', '/camera/camera_info'),
        ('/image', '/image', '/camera_info'),
    ],
)
def test_topics_that_belong_together_are_derived_from_each_other(topic, base, sibling):
    assert base_topic(topic) == base
    assert camera_info_sibling(topic) == sibling


def intrinsics_per_frame(bag, topic='/camera/image_raw'):
    return [
        frame.camera_info and decode(frame.camera_info).k[0] for frame in camera_frames(bag, topic)
    ]


@pytest.mark.parametrize('info_first', [True, False])
def test_each_frame_has_the_camera_info_of_its_stamp(bag_of, info_first):
    samples = camera_samples(4)
    if info_first:
        pairs = [samples[i : i + 2][::-1] for i in range(0, len(samples), 2)]
        samples = [sample for pair in pairs for sample in pair]
    bag = bag_of(samples)
    frames = list(camera_frames(bag, '/camera/image_raw'))
    assert [frame.stamp_ns for frame in frames] == [s.time_ns for s in samples[::2]]
    assert [(decode(f.image).data == pixels(i).ravel()).all() for i, f in enumerate(frames)]
    assert intrinsics_per_frame(bag) == [10.0, 11.0, 12.0, 13.0]


def test_camera_info_that_arrives_late_is_matched_by_stamp(bag_of):
    samples = [
        Sample(s.topic, s.msgtype, s.time_ns + 5 * 10**7 * (s.msgtype == INFO), s.message)
        for s in camera_samples(3)
    ]
    assert intrinsics_per_frame(bag_of(samples)) == [10.0, 11.0, 12.0]


def test_frames_between_rare_camera_infos_have_the_latest_one(bag_of):
    samples = camera_samples(5)
    rare = [s for i, s in enumerate(samples) if s.msgtype == IMAGE or i in (1, 7)]
    assert intrinsics_per_frame(bag_of(rare)) == [10.0, 10.0, 10.0, 13.0, 13.0]


def test_a_latched_camera_info_after_the_first_image_serves_that_too(bag_of):
    samples = [
        s for i, s in enumerate(camera_samples(3)) if s.msgtype == IMAGE
    ]  # stamps 1.0, 1.1 and 1.2 s
    late = Sample('/camera/camera_info', INFO, 1_050_000_000, camera_info(0, 42.0))
    bag = bag_of(sorted([*samples, late], key=lambda s: s.time_ns))
    assert intrinsics_per_frame(bag) == [42.0, 42.0, 42.0]


def test_a_camera_without_camera_info_has_frames_all_the_same(bag_of):
    bag = bag_of([s for s in camera_samples(3) if s.msgtype == IMAGE])
    assert find_camera_info_topic(bag, '/camera/image_raw') is None
    assert intrinsics_per_frame(bag) == [None, None, None]


def test_a_topic_that_only_looks_like_camera_info_is_none(bag_of):
    bag = bag_of([COLOUR, Sample('/front/camera_info', IMAGE, 2, image(pixels(0)))])
    assert find_camera_info_topic(bag, COLOUR.topic) is None
