"""Things land in the maps where the maps' intrinsics say, whatever the sizes and the mode."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from tracers import BLOB_RADIUS, POINTS, draw, find, seen_through

from emu_model.checkpoint import BUNDLED, read_info
from emu_model.engines.engine import Engine
from emu_model.framing import RESIZE_MODES, Framing, frame_window
from emuformer_ros.geometry.camera_info import rescale
from emuformer_ros.geometry.frame_geometry import FrameGeometry

IMAGE_SIZE = (240, 320)
P = (200.0, 0.0, 150.5, 0.0, 0.0, 210.0, 125.25, 0.0, 0.0, 0.0, 1.0, 0.0)
NETWORK_SIZES = [(96, 128), (128, 128), (64, 192), (300, 280)]


class Echo(Engine):
    """An engine whose entropy is the red of what its network gets."""

    device = 'cpu'

    def __init__(self, network_size):
        super().__init__(read_info(BUNDLED), network_size)

    def _infer(self, images, outputs, size):
        resized = [cv2.resize(each[..., 0], size[::-1]) for each in images]
        return {'entropy': np.array(resized, np.float32)}


def camera_info(**changes) -> CameraInfo:
    k = [P[0], 0.0, P[2], 0.0, P[5], P[6], 0.0, 0.0, 1.0]
    return CameraInfo(height=IMAGE_SIZE[0], width=IMAGE_SIZE[1], k=k, p=P, **changes)


def echo(image: np.ndarray, geometry: FrameGeometry) -> np.ndarray:
    """The map of an image (H, W) that went through a network and back."""
    picture = geometry.framing.picture(np.repeat(image[..., None], 3, axis=2))
    # Padding is black here, so that it does not move the blobs' centres.
    unseen = geometry.framing.unseen(geometry.framing.size)
    picture = np.where(unseen[..., None], 0, picture).astype(np.uint8)
    engine = Echo(geometry.network_size)
    return geometry.maps(engine.predict(picture, ['entropy'], geometry.predicted_size)).entropy


@pytest.mark.parametrize('at_camera_size', [True, False], ids=['camera size', 'network size'])
@pytest.mark.parametrize('network_size', NETWORK_SIZES, ids=str)
@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_tracers_land_where_the_intrinsics_of_the_maps_say(mode, network_size, at_camera_size):
    framing = frame_window(IMAGE_SIZE, network_size, mode)
    geometry = FrameGeometry(framing, network_size, at_camera_size)
    window = None if at_camera_size else framing
    info = rescale(camera_info(), IMAGE_SIZE, geometry.map_size, window)
    seen, expected = 0, seen_through(info.p)
    pixels = seen_through(P)
    for pixel, image, where in zip(pixels, draw(IMAGE_SIZE, pixels), expected):
        found = echo(image, geometry)
        assert found.shape == geometry.map_size == (info.height, info.width)
        if is_cut_off(pixel, framing):
            continue
        seen += 1
        # Interpolation and rounding to whole grey values move the centre by less than this.
        np.testing.assert_allclose(find(found), where, atol=0.06)
    assert seen == len(POINTS) or (mode == 'crop' and seen >= 1)


def is_cut_off(pixel: np.ndarray, framing: Framing) -> bool:
    """Whether a part of the blob around a pixel is outside the window."""
    column, row = pixel
    height, width = framing.size
    margin = min(
        column - framing.left,
        framing.left + width - column,
        row - framing.top,
        framing.top + height - row,
    )
    return margin < 3 * BLOB_RADIUS


@pytest.mark.parametrize('mode', RESIZE_MODES)
def test_maps_of_camera_size_cover_the_image_but_what_was_cut_off(mode):
    framing = frame_window(IMAGE_SIZE, (128, 128), mode)
    white = np.full(IMAGE_SIZE, 255, np.uint8)
    entropy = echo(white, FrameGeometry(framing, (128, 128)))

    known = ~np.isnan(entropy)
    expected = np.ones(IMAGE_SIZE, bool)
    if mode == 'crop':
        expected[:, :40] = expected[:, 280:] = False
    np.testing.assert_array_equal(known, expected)
    # At the edge of the letterbox, padding is blended in.
    assert (entropy[known] > 120).all()


def test_maps_of_network_size_are_nan_in_the_padding():
    framing = frame_window(IMAGE_SIZE, (128, 128), 'letterbox')
    entropy = echo(np.full(IMAGE_SIZE, 255, np.uint8), FrameGeometry(framing, (128, 128), False))

    # 320 rows in 128, of which the image is 40 to 280.
    np.testing.assert_array_equal(
        np.isnan(entropy[:, 0]), [not 16 <= row < 112 for row in range(128)]
    )


def test_a_window_of_a_binned_region_of_interest_is_of_the_sensor_s_intrinsics():
    """One step at a time, by hand: crop on the sensor, bin, then cut out and resize."""
    info = camera_info(binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 20, 40, 240, 160
    framing = frame_window((80, 120), (60, 60), 'crop')
    scaled = rescale(info, (80, 120), (60, 60), framing)

    u, v = seen_through(P)[4]
    u, v = (u - 20 + 0.5) / 2 - 0.5, (v - 40 + 0.5) / 2 - 0.5
    u, v = u - 20, v
    u, v = (u + 0.5) * 60 / 80 - 0.5, (v + 0.5) * 60 / 80 - 0.5
    np.testing.assert_allclose(seen_through(scaled.p)[4], (u, v))
