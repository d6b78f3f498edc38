"""The uncertainty alarm, as somebody who listens to /diagnostics sees it."""

import numpy as np
import pytest
from frames import IMAGE_TOPIC, camera_info, image_message, picture, pixels_of
from sensor_msgs.msg import CameraInfo, Image

CLASSES = '/perception/semantic/image'
ENTROPY = '/perception/semantic/uncertainty'
DEPTH_STD = '/perception/depth/uncertainty'
OK, WARN = b'\x00', b'\x01'


def test_a_sustained_excess_warns_and_calm_ends_it(active_node, peer):
    # Nobody subscribes to the uncertainty itself.
    start = len(active_node.log)
    maps = peer.collect(Image, CLASSES)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    uncertainty = peer.diagnostics(part='uncertainty')
    assert peer.set_parameter('entropy_alarm_nats', 1e-6).successful

    def send(second: int) -> None:
        camera.publish(image_message(picture(), second))
        peer.wait_for_messages([maps], second, 'a map')

    send(1)
    values = uncertainty.wait_for_value('entropy_state', 'excess')
    assert values['level'] == OK
    send(2)
    values = uncertainty.wait_for(lambda values: values['level'] == WARN, 'an alarm')
    assert values['entropy_state'] == 'alarm'
    assert values['message'].startswith('semantic uncertainty has stayed above 1e-06 nats (now ')
    assert 'semantic uncertainty has stayed above' in active_node.log[start:]

    assert peer.set_parameter('entropy_alarm_nats', 10.0).successful
    send(3)
    assert uncertainty.wait_for_value('entropy_alarm_above', 10)['level'] == WARN
    send(4)
    values = uncertainty.wait_for(lambda values: values['level'] == OK, 'the end of the alarm')
    assert values['entropy_state'] == 'normal'
    assert 'uncertainty is normal again' in active_node.log[start:]


def alarmed(peer) -> tuple:
    """The publisher of a camera in alarm, and the diagnostics that say so."""
    for name, value in {'entropy_alarm_nats': 1e-6, 'alarm_hold_s': 0.0}.items():
        assert peer.set_parameter(name, value).successful
    maps = peer.collect(Image, CLASSES)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    camera.publish(image_message(picture(), 1))
    peer.wait_for_messages([maps], 1, 'a map')
    uncertainty = peer.diagnostics(part='uncertainty')
    uncertainty.wait_for(lambda values: values['level'] == WARN, 'an alarm')
    return camera, uncertainty


@pytest.mark.parametrize('stamp_s', [0, 1_700_000_000], ids=['none', 'still'])
def test_images_without_a_stamp_of_their_own_are_in_alarm_after_as_long_a_time_of_arrivals(
    stamp_s, active_node, peer
):
    for name, value in {'entropy_alarm_nats': 1e-6, 'alarm_hold_s': 0.5}.items():
        assert peer.set_parameter(name, value).successful
    peer.collect(Image, CLASSES)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    image = image_message(picture(), stamp_s)

    def is_alarmed(values: dict[str, str]) -> bool:
        camera.publish(image)
        return values['level'] == WARN

    peer.diagnostics(part='uncertainty').wait_for(is_alarmed, 'an alarm')


def test_an_alarm_ends_when_the_node_is_deactivated(active_node, peer):
    start = len(active_node.log)
    _, uncertainty = alarmed(peer)
    assert peer.transition('deactivate')

    values = uncertainty.wait_for(lambda values: values['level'] == OK, 'the end of the alarm')
    assert 'entropy_state' not in values
    assert 'uncertainty is not watched any more' in active_node.log[start:]
    assert 'uncertainty is normal again' not in active_node.log[start:]


def test_an_alarm_ends_with_the_first_image_that_nobody_wants_a_map_of(active_node, peer):
    camera, uncertainty = alarmed(peer)
    peer.end_subscriptions()
    peer.wait_for_status(lambda values: values.get('map_subscribers') == '', 'no subscriber')
    camera.publish(image_message(picture(), 2))

    uncertainty.wait_for(lambda values: values['level'] == OK, 'the end of the alarm')


def test_the_means_are_those_of_the_maps_at_the_scale_of_the_network(active_node, peer):
    image = picture()
    for name in ('entropy_alarm_nats', 'depth_std_alarm_m'):
        assert peer.set_parameter(name, 1.0).successful
    infos = peer.publisher(CameraInfo, '/camera/camera_info')
    camera = peer.publisher(Image, IMAGE_TOPIC)
    entropies, stds = (peer.collect(Image, topic) for topic in (ENTROPY, DEPTH_STD))
    infos.publish(camera_info(image, fx=400.0, fy=400.0))
    camera.publish(image_message(image))
    peer.wait_for_messages([entropies, stds], 1, 'both uncertainties')
    values = peer.diagnostics(part='uncertainty').wait_for(
        lambda values: values.get('entropy_mean'), 'means'
    )
    scale = float(peer.diagnostics().wait_for(lambda values: True, 'the frames')['depth_scale'])

    # The checkpoint is for 80 px at 64x96; the camera's 400 px at 120x160 are sqrt(40 * 72) / ...
    assert scale == pytest.approx(400 * np.sqrt(64 / 120 * 96 / 160) / 80, rel=1e-3)
    assert float(values['entropy_mean']) == pytest.approx(pixels_of(entropies[0]).mean(), rel=1e-3)
    expected = pixels_of(stds[0]).mean() / scale
    assert float(values['depth_std_mean']) == pytest.approx(expected, rel=1e-3)


def test_a_checkpoint_that_does_not_know_what_is_normal_is_not_watched(active_node, peer):
    maps = peer.collect(Image, CLASSES)
    camera = peer.publisher(Image, IMAGE_TOPIC)
    camera.publish(image_message(picture()))
    peer.wait_for_messages([maps], 1, 'a map')

    values = peer.diagnostics(part='uncertainty').wait_for(lambda values: True, 'a status')
    assert values['level'] == OK
    assert values['message'] == (
        'not watched: the checkpoint does not say what is normal; set entropy_alarm_nats and '
        'depth_std_alarm_m'
    )
