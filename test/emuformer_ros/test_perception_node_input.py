"""How the node finds and subscribes to the camera."""

import io

import numpy as np
from frames import IMAGE_TOPIC, camera_info, header, image_message, picture, pixels_of
from PIL import Image as Pillow
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

OVERLAY = '/perception/semantic/overlay'


def test_compressed_images_come_from_beside_the_image_topic(node, peer, checkpoints):
    peer.configure_and_activate(
        checkpoint=str(checkpoints['SegFormer']),
        image_transport='compressed',
        overlay_opacity=0.0,
    )
    image = picture()
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, 'PNG')
    publisher = peer.publisher(CompressedImage, f'{IMAGE_TOPIC}/compressed')
    overlays = peer.collect(Image, OVERLAY)
    publisher.publish(CompressedImage(header=header(9), format='png', data=buffer.getvalue()))
    peer.wait_for_messages([overlays], 1, 'an overlay')

    # Without opacity, the overlay is the camera image.
    np.testing.assert_array_equal(pixels_of(overlays[0]), image)
    assert overlays[0].header == header(9)


def test_a_camera_that_becomes_reliable_or_best_effort_is_followed(active_node, peer):
    overlays = peer.collect(Image, OVERLAY)
    image = picture(60, 80)
    for second, reliability in enumerate(
        (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE)
    ):
        publisher = peer.publisher(Image, IMAGE_TOPIC, reliability)
        peer.wait_for(
            lambda wanted=reliability: subscribed_with(peer) == wanted,
            f'a {reliability.name} subscription',
        )
        peer.wait_for(lambda p=publisher: p.get_subscription_count() == 1, 'a subscription')
        publisher.publish(image_message(image, second))
        peer.wait_for_messages([overlays], second + 1, f'the overlay of frame {second}')
        peer.end(publisher)

    assert 'incompatible QoS' not in active_node.log


def subscribed_with(peer) -> ReliabilityPolicy | None:
    """Reliability of the node's image subscription."""
    infos = peer.node.get_subscriptions_info_by_topic(IMAGE_TOPIC)
    return infos[0].qos_profile.reliability if infos else None


def test_a_reliability_that_cannot_match_is_explained_in_diagnostics_and_log(
    node, peer, checkpoints
):
    peer.configure_and_activate(checkpoint=str(checkpoints['SegFormer']), reliability='reliable')
    peer.publisher(Image, IMAGE_TOPIC, ReliabilityPolicy.BEST_EFFORT, matched=False)
    values = peer.diagnostics().wait_for(
        lambda values: values['level'] == b'\x01', 'a warning of silence'
    )

    reason = f"'{IMAGE_TOPIC}' is published best effort and the subscription is reliable"
    assert reason in values['message']
    assert reason in node.log


def test_a_remapped_camera_info_wins_over_the_one_beside_the_image(start_active, peer):
    start_active(
        'remapped',
        'DepthFormer',
        remaps={'image': '/left/image_raw', 'camera_info': '/left/calibration'},
    )
    image = picture()
    publisher = peer.publisher(Image, '/left/image_raw')
    infos = peer.publisher(CameraInfo, '/left/calibration')
    scaled = peer.collect(CameraInfo, '/remapped/depth/camera_info')
    infos.publish(camera_info(image, fx=123.0, fy=124.0))
    publisher.publish(image_message(image))
    peer.wait_for_messages([scaled], 1, 'a CameraInfo of the depth')

    assert (scaled[0].k[0], scaled[0].k[4]) == (123.0, 124.0)
    assert peer.node.get_subscriptions_info_by_topic('/left/camera_info') == []
