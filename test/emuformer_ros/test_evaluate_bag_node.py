"""The maps of an evaluation against those of the live node, over DDS, for the same recording."""

from pathlib import Path

import numpy as np
import pytest
from evaluated import evaluate
from frames import pixels_of
from rclpy.qos import ReliabilityPolicy
from rclpy.serialization import deserialize_message
from real_data import real_data
from sensor_msgs.msg import CameraInfo, Image

from emuformer_ros.bags.cameras import camera_frames
from emuformer_ros.bags.reading import Bag
from emuformer_ros.evaluate_bag import OK
from emuformer_ros.synthetic_drive import Drive, write_drive

IMAGE_TOPIC, INFO_TOPIC = '/camera/image_raw', '/camera/camera_info'

FLOAT_MAPS = ('semantic/uncertainty', 'depth/image', 'depth/uncertainty')
COLOUR_MAPS = ('semantic/image', 'semantic/overlay')

# Two processes with other numbers of threads sum floats in another order.
TOLERANCE = {'rtol': 1e-4, 'atol': 1e-5}
SAME_CLASS = 0.999
"""Share of pixels with the same class: two logits may be equal within rounding."""


def synthetic(tmp_path: Path) -> Path:
    write_drive(tmp_path / 'drive', Drive(frames=3, height=96, width=128))
    return tmp_path / 'drive'


def office(tmp_path: Path) -> Path:
    return real_data('office_rgbd') / 'bag'


@pytest.mark.parametrize('make_bag', [synthetic, office], ids=lambda make: make.__name__)
def test_the_maps_are_those_that_the_node_publishes(make_bag, node, peer, checkpoints, tmp_path):
    path = make_bag(tmp_path)
    checkpoint = str(checkpoints['SegDepthFormer'])
    peer.configure_and_activate(checkpoint=checkpoint, engine='torch', device='cpu')
    topics = [f'/perception/{name}' for name in (*FLOAT_MAPS, *COLOUR_MAPS)]
    live = {topic: peer.collect(Image, topic) for topic in topics}
    infos_live = peer.collect(CameraInfo, '/perception/depth/camera_info')
    publish(path, peer, [*live.values(), infos_live])

    options = ('--checkpoint', checkpoint, '--engine', 'torch', '--device', 'cpu')
    without_truth = ('--depth-topic', 'none', '--label-topic', 'none')
    output = tmp_path / 'out'
    assert evaluate(path, '--output', output, *options, *without_truth) == OK
    with Bag(output / 'maps.mcap') as bag:
        for topic, published in live.items():
            recorded = [deserialize_message(m.data, Image) for m in bag.messages([topic])]
            assert [m.header for m in recorded] == [m.header for m in published]
            for mine, its in zip(recorded, published):
                assert (mine.encoding, mine.step) == (its.encoding, its.step)
                if topic.removeprefix('/perception/') in COLOUR_MAPS:
                    assert np.mean(pixels_of(mine) == pixels_of(its)) > SAME_CLASS
                else:
                    assert_close(pixels_of(mine), pixels_of(its))
        recorded = [
            deserialize_message(m.data, CameraInfo)
            for m in bag.messages(['/perception/depth/camera_info'])
        ]
    assert recorded == infos_live


def publish(path, peer, expected):
    """Publish the frames of a recording, each when the maps of the one before have come."""
    images = peer.publisher(Image, IMAGE_TOPIC)
    infos = peer.publisher(CameraInfo, INFO_TOPIC, ReliabilityPolicy.BEST_EFFORT)
    with Bag(path) as bag:
        for count, frame in enumerate(camera_frames(bag, IMAGE_TOPIC), 1):
            info = deserialize_message(frame.camera_info.data, CameraInfo)
            infos.publish(info)
            images.publish(deserialize_message(frame.image.data, Image))

            def maps_have_come(info=info, count=count):
                # Best effort, it may be lost beside a large image, and comes with every image.
                infos.publish(info)
                return all(len(messages) >= count for messages in expected)

            peer.wait_for(maps_have_come, f'the maps of frame {count}')


def assert_close(mine, its):
    """Equal within rounding; NaN where the depth is at the end of the checkpoint's range."""
    gaps = np.isnan(mine) != np.isnan(its)
    assert gaps.mean() < 1 - SAME_CLASS
    np.testing.assert_allclose(mine[~gaps], its[~gaps], **TOLERANCE)
