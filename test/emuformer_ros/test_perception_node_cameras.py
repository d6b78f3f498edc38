"""Several cameras through one node: each has its topics, its geometry and its turn."""

import io
from pathlib import Path

import numpy as np
import pytest
from frames import camera_info, header, picture, pixels_of
from PIL import Image as Pillow
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from emu_model.engines import create_engine
from emuformer_ros.camera.image_conversion import to_message

PICTURES = {
    'front': picture(120, 160, seed=1),
    'left': picture(90, 200, seed=2),
    'right': picture(120, 160, seed=3),
}
FLOAT_TOLERANCE = {'rtol': 1e-4, 'atol': 1e-5}
"""Sums of floats in another order, in a process with another number of threads."""


@pytest.fixture(scope='module')
def entropies(checkpoints) -> dict[str, np.ndarray]:
    """What the engine says about each picture alone."""
    engine = create_engine(checkpoints['SegDepthFormer'], 'torch', 'cpu')
    return {name: engine.predict(image, ['entropy']).entropy for name, image in PICTURES.items()}


@pytest.fixture
def rig(node, peer, checkpoints):
    """The shared node, active with three cameras."""
    peer.configure_and_activate(
        checkpoint=str(checkpoints['SegDepthFormer']), cameras=list(PICTURES)
    )
    return node


def message(camera: str, second: int = 1) -> Image:
    return to_message(PICTURES[camera], 'rgb8', header(second, f'{camera}_optical_frame'))


def test_each_camera_has_maps_of_its_own_images_with_their_stamp_and_frame(rig, peer, entropies):
    publishers = {name: peer.publisher(Image, f'/{name}/image') for name in PICTURES}
    maps = {
        name: peer.collect(Image, f'/perception/{name}/semantic/uncertainty') for name in PICTURES
    }
    for second in range(3):
        for name, publisher in publishers.items():
            publisher.publish(message(name, 10 * second + len(name)))
        peer.wait_for_messages(maps.values(), second + 1, f'maps of all cameras, round {second}')

    for name, messages in maps.items():
        assert len(messages) == 3
        for second, received in enumerate(messages):
            assert received.header == header(10 * second + len(name), f'{name}_optical_frame')
            np.testing.assert_allclose(pixels_of(received), entropies[name], **FLOAT_TOLERANCE)
    assert peer.node.get_subscriptions_info_by_topic('/camera/image_raw') == []
    assert peer.node.count_publishers('/perception/semantic/uncertainty') == 0


def test_each_camera_s_depth_is_for_its_own_focal_length(rig, peer):
    focal_lengths = {'front': 100.0, 'right': 300.0}
    received = {}
    for name, fx in focal_lengths.items():
        publisher = peer.publisher(Image, f'/{name}/image')
        infos = peer.publisher(CameraInfo, f'/{name}/camera_info', ReliabilityPolicy.BEST_EFFORT)
        infos.publish(camera_info(PICTURES[name], fx=fx, fy=fx))
        scaled = peer.collect(CameraInfo, f'/perception/{name}/depth/camera_info')
        publisher.publish(message(name))
        peer.wait_for_messages([scaled], 1, f'intrinsics of {name}')
        values = peer.diagnostics(part=f'{name} frames').wait_for(
            lambda values: values['frames_processed'] != '0', f'a frame of {name}'
        )
        received[name] = (scaled[0].k[0], float(values['depth_scale']))

    # The checkpoint is for 80 px at 96x64.
    scales = {name: fx / 80 * np.sqrt(96 / 160 * 64 / 120) for name, fx in focal_lengths.items()}
    assert {name: k for name, (k, _) in received.items()} == focal_lengths
    assert {name: scale for name, (_, scale) in received.items()} == pytest.approx(
        scales, abs=1e-4
    )


def test_a_camera_that_floods_the_node_does_not_keep_another_waiting(rig, peer):
    flood, calm = (peer.publisher(Image, f'/{name}/image') for name in ('front', 'left'))
    maps = {
        name: peer.collect(Image, f'/perception/{name}/semantic/image')
        for name in ('front', 'left')
    }
    large = to_message(picture(720, 960), 'rgb8', header(1))

    def flood_until(messages: list) -> None:
        def publish_and_look() -> list:
            flood.publish(large)
            return messages

        peer.wait_for(publish_and_look, 'a map')

    flood_until(maps['front'])
    calm.publish(message('left', 77))
    # A node that served the flood first would never come to the other: it does not end before.
    flood_until(maps['left'])

    assert maps['left'][0].header.stamp.sec == 77


def test_cameras_with_the_same_fault_are_all_logged(rig, peer):
    start = len(rig.log)
    for name in PICTURES:
        camera = peer.publisher(Image, f'/{name}/image')
        frames = peer.diagnostics(part=f'{name} frames')
        camera.publish(message(name, 2_000_000_000))
        frames.wait_for_value('frames_from_future', 1)
        peer.collect(Image, f'/perception/{name}/semantic/image')
        unusable = message(name, 1)
        unusable.encoding = 'rgb9'
        camera.publish(unusable)
        frames.wait_for_value('frames_refused', 1)

    for name in PICTURES:
        assert rig.log[start:].count(f"images on '/{name}/image' are stamped") == 1
        assert rig.log[start:].count(f"cannot use an image on '/{name}/image'") == 1


def test_compressed_images_of_several_cameras_are_beside_their_image_topics(
    node, peer, checkpoints
):
    peer.configure_and_activate(
        checkpoint=str(checkpoints['SegFormer']),
        cameras=['front', 'left'],
        image_transport='compressed',
        overlay_opacity=0.0,
    )
    for name, encoding in {'front': 'PNG', 'left': 'JPEG'}.items():
        buffer = io.BytesIO()
        Pillow.fromarray(PICTURES[name]).save(buffer, encoding)
        publisher = peer.publisher(CompressedImage, f'/{name}/image/compressed')
        overlays = peer.collect(Image, f'/perception/{name}/semantic/overlay')
        publisher.publish(
            CompressedImage(header=header(5), format=encoding.lower(), data=buffer.getvalue())
        )
        peer.wait_for_messages([overlays], 1, f'an overlay of {name}')

        # Without opacity, the overlay is the camera image.
        with Pillow.open(io.BytesIO(buffer.getvalue())) as decoded:
            np.testing.assert_array_equal(pixels_of(overlays[0]), np.asarray(decoded))


@pytest.mark.parametrize(
    ('names', 'reason'),
    [
        (['front', 'front'], 'two of the cameras front, front share a name'),
        (['front', ''], 'give a name for every camera'),
        (['depth'], "a camera cannot be called 'depth'"),
        (['semantic'], "a camera cannot be called 'semantic'"),
        (['1st'], "cameras cannot be '1st': choose words of letters"),
        (['front/left'], "cameras cannot be 'front/left'"),
        ('front', 'Wrong parameter type'),
    ],
)
def test_names_that_topics_cannot_have_are_refused(names, reason, node, peer):
    result = peer.set_parameter('cameras', names)

    assert not result.successful
    assert reason in result.reason


def test_other_cameras_take_a_node_that_is_not_configured(rig, peer):
    peer.collect(Image, '/perception/left/semantic/image')
    assert 'while the node is unconfigured' in peer.set_parameter('cameras', ['rear']).reason
    assert peer.transition('deactivate')
    assert 'while the node is unconfigured' in peer.set_parameter('cameras', ['rear']).reason
    assert peer.transition('cleanup')
    assert peer.set_parameter('cameras', ['rear']).successful
    assert peer.transition('configure')

    names = ('/perception/left/semantic/image', '/perception/rear/semantic/image')
    peer.wait_for(
        lambda: [peer.node.count_publishers(name) for name in names] == [0, 1],
        'the topics of the new camera in place of the old ones',
    )


def test_frames_that_wait_together_are_one_batch_where_the_engine_gains_by_it(
    start_active, peer, entropies
):
    script = Path(__file__).with_name('batching_node.py')
    node = start_active(
        'batching',
        program=(str(script),),
        parameters={'cameras': '[front, left, right]', 'max_batch': 3},
    )
    publishers = {name: peer.publisher(Image, f'/{name}/image') for name in PICTURES}
    maps = {
        name: peer.collect(Image, f'/batching/{name}/semantic/uncertainty') for name in PICTURES
    }
    # While the first is computed, the others arrive and wait together.
    publishers['left'].publish(to_message(picture(1080, 1920), 'rgb8', header(0)))
    peer.wait_for(lambda: 'a batch of 1\n' in node.log, 'the engine to be busy')
    for name, publisher in publishers.items():
        publisher.publish(message(name, 2))
    peer.wait_for(
        lambda: all(found and found[-1].header.stamp.sec == 2 for found in maps.values()),
        'the maps of all cameras',
    )

    # The two of one size are one batch, and come out as each alone.
    assert 'a batch of 2\n' in node.log
    for name, found in maps.items():
        np.testing.assert_allclose(pixels_of(found[-1]), entropies[name], **FLOAT_TOLERANCE)
