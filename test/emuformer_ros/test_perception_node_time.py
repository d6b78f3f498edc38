"""What the node makes of the stamps of images: late ones, early ones, and time that jumps."""

import re
import time
from collections.abc import Iterator

import pytest
from frames import IMAGE_TOPIC, image_message, picture
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

ENTROPY = '/perception/semantic/uncertainty'
OK, WARN = b'\x00', b'\x01'


def stamped(stamp_s: float) -> Image:
    message = image_message(picture(40, 56))
    second, rest = divmod(stamp_s, 1.0)
    message.header.stamp = Time(seconds=int(second), nanoseconds=int(1e9 * rest)).to_msg()
    return message


def test_images_that_are_too_old_are_dropped_counted_and_explained(active_node, peer):
    assert peer.set_parameter('max_age_s', 5.0).successful
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    diagnostics = peer.diagnostics()
    camera.publish(stamped(time.time() - 60.0))
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')
    # On a machine that is busy, it arrives seconds after it was stamped.
    dropped = r'1 images dropped, older than max_age_s \(5 s\), the last by 6\d\.'
    assert re.search(dropped, values['message'])
    assert 'synchronise its clock' in values['message']
    assert re.search(rf"images on '{IMAGE_TOPIC}' are dropped, 6\d\.", active_node.log)

    fresh = stamped(time.time())
    camera.publish(fresh)
    peer.wait_for_messages([maps], 1, 'the map of a fresh image')
    values = diagnostics.wait_for_value('frames_processed', 1)
    assert [message.header.stamp for message in maps] == [fresh.header.stamp]
    assert (values['frames_received'], values['frames_too_old']) == ('2', '1')

    # At any time: without a limit, the same image is taken.
    assert peer.set_parameter('max_age_s', 0.0).successful
    camera.publish(stamped(time.time() - 60.0))
    peer.wait_for_messages([maps], 2, 'the map of an old image')


def test_images_from_the_future_are_processed_counted_and_explained(active_node, peer):
    assert peer.set_parameter('max_age_s', 5.0).successful
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    diagnostics = peer.diagnostics()
    camera.publish(stamped(time.time() + 3600.0))
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')

    assert '1 images are stamped in the future, the last by 3' in values['message']
    assert "synchronise the camera's clock with this machine's" in values['message']
    assert values['frames_from_future'] == '1'
    assert f"images on '{IMAGE_TOPIC}' are stamped 3" in active_node.log
    peer.wait_for_messages([maps], 1, 'its map')


def test_images_without_a_stamp_are_processed_counted_and_explained(active_node, peer):
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    diagnostics = peer.diagnostics()
    camera.publish(stamped(0.0))
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')
    assert (
        '1 images have no stamp of their own (0, or one that stands still), so that '
        in values['message']
    )
    assert 'have the driver of the camera set header.stamp' in values['message']
    assert values['frames_unstamped'] == '1'
    assert 'last_age_s' not in values
    assert f"images on '{IMAGE_TOPIC}' have no stamp" in active_node.log
    peer.wait_for_messages([maps], 1, 'its map')

    # They are not back in time, nor is what comes after them.
    camera.publish(stamped(time.time()))
    camera.publish(stamped(0.0))
    values = diagnostics.wait_for_value('frames_unstamped', 2)
    assert values['time_jumps'] == '0'


def test_images_without_a_stamp_are_refused_where_their_age_is_limited(active_node, peer):
    assert peer.set_parameter('max_age_s', 5.0).successful
    camera = peer.publisher(Image, IMAGE_TOPIC)
    camera.publish(stamped(0.0))
    values = peer.diagnostics().wait_for_value('frames_refused', 1)

    assert values['last_refusal'].startswith('it has no stamp of its own (0, or one that ')
    assert (values['frames_unstamped'], values['frames_too_old']) == ('0', '0')
    reason = f"cannot use an image on '{IMAGE_TOPIC}': it has no stamp"
    assert reason in active_node.log


def test_a_recording_that_loops_starts_the_statistics_anew_with_one_message(active_node, peer):
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    diagnostics = peer.diagnostics()
    for number, stamp_s in enumerate((100.0, 110.0, 120.0)):
        camera.publish(stamped(stamp_s))
        peer.wait_for_messages([maps], number + 1, 'a map')

    camera.publish(stamped(100.0))
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')
    assert 'the stamps of the images went back: nothing to do if' in values['message']
    assert values['time_jumps'] == '1'
    assert f"the stamps of images on '{IMAGE_TOPIC}' went back by " in active_node.log

    camera.publish(stamped(110.0))
    peer.wait_for_messages([maps], 5, 'a map of every image')
    values = diagnostics.wait_for_value('frames_processed', 5)
    assert (values['level'], values['time_jumps']) == (OK, '1')


@pytest.fixture
def simulated_time(active_node, peer) -> Iterator[None]:
    assert peer.set_parameter('use_sim_time', True).successful
    yield
    assert peer.set_parameter('use_sim_time', False).successful


def test_simulated_time_without_a_clock_is_explained_and_images_are_processed(
    simulated_time, peer
):
    assert peer.set_parameter('max_age_s', 5.0).successful
    maps = peer.collect(Image, ENTROPY)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    diagnostics = peer.diagnostics()
    values = diagnostics.wait_for(lambda values: values['level'] == WARN, 'a warning')
    assert 'use_sim_time is true and no /clock arrives' in values['message']
    camera.publish(stamped(1000.0))
    peer.wait_for_messages([maps], 1, 'a map')
    # Where time stands at 0, so do the stamps.
    camera.publish(stamped(0.0))
    peer.wait_for_messages([maps], 2, 'a map')

    clock = peer.node.create_publisher(Clock, '/clock', 10)
    try:

        def has_clock(values):
            # Best effort: what is published before the node has found the publisher is lost.
            clock.publish(Clock(clock=Time(seconds=1000).to_msg()))
            return values['level'] == OK

        diagnostics.wait_for(has_clock, 'the end of the warning')
        # The age is the simulated one: of a recording that is decades old, this image is fresh.
        camera.publish(stamped(999.0))
        values = diagnostics.wait_for(
            lambda values: values.get('last_age_s') == '1.000', 'the age of the image'
        )
        assert (values['frames_too_old'], values['frames_unstamped']) == ('0', '0')
        camera.publish(stamped(990.0))
        diagnostics.wait_for_value('frames_too_old', 1)
    finally:
        peer.node.destroy_publisher(clock)
