"""What the node survives: cameras that come and go, malformed images, restarts, a dead engine."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from frames import IMAGE_TOPIC, camera_info, header, image_message, picture, pixels_of
from malformed import raw_cases
from node_process import NodeProcess
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from emuformer_ros.camera.image_conversion import to_message
from emuformer_ros.health.process_usage import process_usage
from emuformer_ros.shared_memory import remove_dead_segments

OVERLAY = '/perception/semantic/overlay'
ENTROPY = '/perception/semantic/uncertainty'
OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'

MALFORMED = 300
GOOD_EVERY = 3


def test_a_camera_that_stops_is_reported_and_one_that_comes_back_is_followed(active_node, peer):
    diagnostics = peer.diagnostics()
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    camera.publish(image_message(picture(), 1))
    peer.wait_for_messages([maps], 1, 'the map before')

    peer.end(camera)
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning of silence')
    assert f"nobody publishes '{IMAGE_TOPIC}': start the camera" in values['message']

    camera = peer.publisher(Image, IMAGE_TOPIC)
    camera.publish(image_message(picture(), 2))
    peer.wait_for_messages([maps], 2, 'the map after')
    diagnostics.wait_for(lambda values: values['level'] == OK, 'the end of the warning')
    assert [message.header.stamp.sec for message in maps] == [1, 2]


def test_a_camera_that_restarts_in_another_mode_is_followed(node, peer, checkpoints):
    peer.configure_and_activate(checkpoint=str(checkpoints['SegFormer']), overlay_opacity=0.0)
    overlays = peer.collect(Image, OVERLAY)
    grey = picture(30, 44)[..., 0]
    modes = [
        (picture(60, 80), 'rgb8', 'front_optical_frame'),
        (picture(48, 100)[..., ::-1], 'bgr8', 'front_optical_frame'),
        (grey, 'mono8', 'rear_optical_frame'),
    ]
    for second, (pixels, encoding, frame_id) in enumerate(modes):
        camera = peer.publisher(Image, IMAGE_TOPIC)
        camera.publish(to_message(pixels, encoding, header(second, frame_id)))
        peer.wait_for_messages([overlays], second + 1, f'the map of {encoding}')
        peer.end(camera)

    # Without opacity, the overlay is the camera image.
    expected = [modes[0][0], modes[1][0][..., ::-1], np.dstack([grey] * 3)]
    for overlay, pixels, (_, _, frame_id) in zip(overlays, expected, modes):
        np.testing.assert_array_equal(pixels_of(overlay), pixels)
        assert overlay.header.frame_id == frame_id


def test_every_good_image_among_hundreds_of_malformed_ones_comes_out(active_node, peer):
    diagnostics = peer.diagnostics()
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    start = len(active_node.log)
    good = 0
    for number, message in enumerate(raw_cases(MALFORMED, seed=2)):
        message.header = header(10_000 + number)
        camera.publish(message)
        if number % GOOD_EVERY == 0:
            camera.publish(image_message(picture(40, 56), good))
            good += 1
            peer.wait_for(
                lambda last=good - 1: any(m.header.stamp.sec == last for m in maps),
                f'the map of good image {good}',
            )

    sent = MALFORMED + good
    values = diagnostics.wait_for(
        lambda values: accounted(values) == sent, 'an account of every image'
    )
    assert [m.header.stamp.sec for m in maps if m.header.stamp.sec < good] == list(range(good))
    assert int(values['frames_refused']) > 0
    assert values['frames_failed'] == '0'
    assert 'Traceback' not in active_node.log[start:]


def accounted(values: dict[str, str]) -> int:
    kinds = ('processed', 'dropped', 'refused', 'failed', 'skipped', 'too_old')
    return sum(int(values[f'frames_{kind}']) for kind in kinds)


@pytest.mark.parametrize(
    ('engine', 'cycles'),
    [
        ('torch', 10),
        pytest.param('torch', 100, marks=pytest.mark.slow),
        pytest.param('openvino', 100, marks=pytest.mark.slow),
    ],
)
def test_cycles_of_the_lifecycle_leave_no_memory_or_thread_behind(
    engine, cycles, node, peer, checkpoints
):
    camera = peer.publisher(Image, IMAGE_TOPIC, matched=False)
    infos = peer.publisher(CameraInfo, '/camera/camera_info', matched=False)
    depths = peer.collect(Image, '/perception/depth/image', matched=False)
    clouds = peer.collect(PointCloud2, '/perception/points', matched=False)

    def cycle(number: int) -> None:
        peer.configure_and_activate(checkpoint=str(checkpoints['SegDepthFormer']), engine=engine)
        peer.wait_for_status(
            lambda values: (
                values.get('image_publishers') == values.get('camera_info_publishers') == '1'
                and '/perception/depth/image (1)' in values['map_subscribers']
                and '/perception/points (1)' in values['map_subscribers']
            ),
            'a node that knows camera and subscribers',
        )
        infos.publish(camera_info(picture(), fx=200.0, fy=200.0))
        camera.publish(image_message(picture()))
        peer.wait_for_messages([depths, clouds], number, f'the maps of cycle {number}')
        assert peer.transition('deactivate')
        assert peer.transition('cleanup')

    for number in range(1, 4):  # what libraries keep from the first times
        cycle(number)
    before = process_usage(node.pid)
    for number in range(4, 4 + cycles):
        cycle(number)
    after = process_usage(node.pid)

    assert after.threads <= before.threads
    # The weights alone are 15 MB: this is far less than one copy of them for every cycle.
    assert after.memory_mb - before.memory_mb < 40


def shared_memory_of(node: NodeProcess) -> set[Path]:
    """The segments of a process's DDS participant, and their locks."""
    opened = {os.path.realpath(path) for path in Path('/proc', str(node.pid), 'fd').iterdir()}
    locks = {Path(path) for path in opened if re.fullmatch(r'/dev/shm/\w+_[0-9a-f]{16}_el', path)}
    assert locks
    return locks | {path.with_name(path.name.removesuffix('_el')) for path in locks}


def test_a_node_that_is_killed_and_launched_again_goes_on(start_active, peer):
    def launch():
        return start_active('killed', 'SegFormer')

    node = launch()
    camera = peer.publisher(Image, '/killed/image_raw')
    maps = peer.collect(Image, '/killed/semantic/image')
    camera.publish(image_message(picture(), 1))
    peer.wait_for_messages([maps], 1, 'a map')
    left_behind = shared_memory_of(node)
    assert node.stop(signal.SIGKILL) == -signal.SIGKILL
    assert all(path.exists() for path in left_behind)

    again = launch()
    peer.wait_for_status(
        lambda values: (
            values.get('image_publishers') == '1'
            and '/killed/semantic/image (1)' in values['map_subscribers']
        ),
        'a new node that knows camera and subscriber',
    )
    camera.publish(image_message(picture(), 2))
    peer.wait_for_messages([maps], 2, 'a map of the new node')
    assert not any(path.exists() for path in left_behind)
    # What lives is left alone.
    living = shared_memory_of(again)
    remove_dead_segments()
    assert all(path.exists() for path in living)
    assert [message.header.stamp.sec for message in maps] == [1, 2]


def test_an_engine_that_fails_on_frame_after_frame_is_given_up_until_it_is_configured_again(
    start_active, peer
):
    node = start_active(
        'broken',
        'SegFormer',
        program=(str(Path(__file__).with_name('failing_engine_node.py')),),
        parameters={'max_engine_failures': 3},
    )
    camera = peer.publisher(Image, '/broken/image_raw')
    maps = peer.collect(Image, '/broken/semantic/image')
    frames = peer.diagnostics('broken')
    black = image_message(np.zeros((120, 160, 3), np.uint8))
    for count in (1, 2):
        camera.publish(black)
        frames.wait_for_value('frames_failed', count)
    camera.publish(image_message(picture(), 1))
    peer.wait_for_messages([maps], 1, 'the map that ends the row of failures')
    for count in (3, 4):
        camera.publish(black)
        frames.wait_for_value('frames_failed', count)
    assert peer.state('/broken') == 'active'

    camera.publish(black)
    values = peer.diagnostics('broken', 'node').wait_for(
        lambda values: values['level'] == ERROR, 'an error'
    )
    assert 'cannot free the engine: an illegal memory access' in node.log
    assert values['state'] == 'unconfigured'
    assert "failed on 3 images in a row, the last time with 'MemoryError: " in values['message']
    assert 'configure and activate the node again, or restart it' in values['message']
    assert peer.state('/broken') == 'unconfigured'

    assert peer.transition('configure', '/broken')
    assert peer.transition('activate', '/broken')
    peer.diagnostics('broken', 'node').wait_for(
        lambda values: values['level'] == OK, 'the end of the error'
    )
    peer.wait_for_status(
        lambda values: (
            values.get('image_publishers') == '1'
            and '/broken/semantic/image (1)' in values['map_subscribers']
        ),
        'a node that knows camera and subscriber again',
    )
    camera.publish(image_message(picture(), 2))
    peer.wait_for_messages([maps], 2, 'a map')
    assert 'Traceback' not in node.log
