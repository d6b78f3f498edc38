"""What the node does with images it cannot use, too many images, and an engine that fails."""

import sys
from pathlib import Path

import numpy as np
from frames import IMAGE_TOPIC, image_message, picture
from sensor_msgs.msg import Image

from emuformer_ros.camera.image_conversion import to_message

ENTROPY = '/perception/semantic/uncertainty'


def broken(**changes) -> Image:
    message = image_message(picture(), 0)
    for field, value in changes.items():
        setattr(message, field, value)
    return message


BAD_IMAGES = {
    "encoding 'rgb9' is not": broken(encoding='rgb9'),
    'rows of 480 bytes take 57600': broken(data=bytes(1000)),
    '0 bytes, 120 rows': broken(data=b''),
    'is empty (0x0)': broken(width=0, height=0, step=0, data=b''),
    'step is 100 bytes': broken(step=100),
    "encoding '32FC1' is not": to_message(
        np.full((4, 4), np.nan, np.float32), '32FC1', image_message(picture()).header
    ),
    'other byte order': broken(encoding='mono16', is_bigendian=sys.byteorder == 'little'),
    'more than 33554432 pixels': broken(width=2**31, height=2**31, step=2**32 - 1),
    'a side of more than 32768': broken(width=40000, height=1, step=120000, data=bytes(120000)),
}


def test_a_bad_image_is_counted_and_explained_and_the_next_good_one_processed(active_node, peer):
    start = len(active_node.log)
    diagnostics = peer.diagnostics()
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    maps = peer.collect(Image, ENTROPY)
    refused = int(diagnostics.wait_for(lambda values: True, 'diagnostics')['frames_refused'])

    for second, (reason, bad) in enumerate(BAD_IMAGES.items()):
        publisher.publish(bad)
        refused += 1
        values = diagnostics.wait_for_value('frames_refused', refused)
        assert reason in values['last_refusal']
        publisher.publish(image_message(picture(), second))
        peer.wait_for_messages([maps], second + 1, f'the good image after: {reason}')

    assert [message.header.stamp.sec for message in maps] == list(range(len(BAD_IMAGES)))
    errors = [line for line in active_node.log[start:].splitlines() if 'ERROR' in line]
    assert f"cannot use an image on '{IMAGE_TOPIC}': encoding 'rgb9' is not" in errors[0]
    assert len(errors) < len(BAD_IMAGES), 'errors that follow at once are throttled'


def test_the_diagnostics_warn_of_a_bad_image(active_node, peer):
    diagnostics = peer.diagnostics()
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    peer.collect(Image, ENTROPY)
    publisher.publish(broken(encoding='rgb9'))

    values = diagnostics.wait_for(lambda values: values['level'] != b'\x00', 'a warning')
    assert values['level'] == b'\x01'
    assert "1 images refused, the last: encoding 'rgb9'" in values['message']
    diagnostics.wait_for(lambda values: values['level'] == b'\x00', 'the end of the warning')


def test_images_too_small_for_the_network_are_refused_and_are_no_failures_of_the_engine(
    node, peer, any_size_checkpoint
):
    peer.configure_and_activate(checkpoint=str(any_size_checkpoint), max_engine_failures=1)
    diagnostics = peer.diagnostics()
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    maps = peer.collect(Image, ENTROPY)
    publisher.publish(image_message(picture(24, 32)))
    values = diagnostics.wait_for_value('frames_refused', 1)
    publisher.publish(image_message(picture(), 2))
    peer.wait_for_messages([maps], 1, 'the map of the next image')

    assert values['last_refusal'].startswith('a frame of 24x32 is too small for mit_b0')
    assert peer.state() == 'active'


def test_bytes_that_are_no_message_do_not_hurt(active_node, peer):
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    maps = peer.collect(Image, ENTROPY)
    publisher.publish(b'\x00\x01\x00\x00 no image')
    publisher.publish(image_message(picture()))

    peer.wait_for(lambda: maps, 'the map of the good image')
    assert active_node.is_alive()


def test_a_flood_is_answered_with_the_latest_frame_and_the_rest_counted_as_dropped(
    active_node, peer
):
    diagnostics = peer.diagnostics()
    before = diagnostics.wait_for(lambda values: True, 'diagnostics')
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    maps = peer.collect(Image, ENTROPY)
    # Each takes the engine longer than all of them take to arrive.
    frames = [image_message(picture(720, 960), second) for second in range(8)]
    for frame in frames:
        publisher.publish(frame)
    peer.wait_for(
        lambda: maps and maps[-1].header.stamp.sec == len(frames) - 1, 'the map of the last frame'
    )

    def since(values: dict[str, str], key: str) -> int:
        return int(values[f'frames_{key}']) - int(before[f'frames_{key}'])

    after = diagnostics.wait_for(
        lambda values: since(values, 'processed') == len(maps), 'the count of what was processed'
    )
    assert since(after, 'received') == len(frames)
    assert since(after, 'dropped') == len(frames) - len(maps) > 0


def test_services_answer_while_the_engine_is_busy(active_node, peer):
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    maps = peer.collect(Image, ENTROPY)
    publisher.publish(image_message(picture(1080, 1920), 5))
    answers = 0
    while not maps:
        assert peer.state() == 'active'
        answers += 1

    # One engine run takes seconds at this size, a service call milliseconds.
    assert answers > 5


def test_an_engine_that_fails_on_a_frame_is_reported_and_goes_on(start_node, peer, checkpoints):
    script = Path(__file__).with_name('failing_engine_node.py')
    node = start_node(
        program=(str(script),),
        parameters={
            'autostart': 'true',
            'checkpoint': checkpoints['SegFormer'],
            'diagnostics_period_s': 0.2,
        },
        remaps={'__node': 'failing', 'image': '/failing/image_raw'},
    )
    publisher = peer.publisher(Image, '/failing/image_raw')
    maps = peer.collect(Image, '/failing/semantic/image')
    diagnostics = peer.diagnostics('failing')
    publisher.publish(image_message(np.zeros((120, 160, 3), np.uint8)))
    values = diagnostics.wait_for_value('frames_failed', 1)
    publisher.publish(image_message(picture(), 3))
    peer.wait_for(lambda: maps, 'the map of the next frame')

    assert values['last_failure'] == 'MemoryError: no memory for a black image'
    assert 'asked to release memory, all free' in node.log
    assert maps[0].header.stamp.sec == 3
    assert "cannot process an image on '/failing/image_raw': MemoryError" in node.log
