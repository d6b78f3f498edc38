import numpy as np
import pytest

from emu_model.geometry import Intrinsics


def test_resizing_keeps_the_ray_of_every_image_corner():
    camera = Intrinsics(fx=500.0, fy=480.0, cx=310.5, cy=251.0)
    resized = camera.resized((480, 640), (120, 320))
    # The outer corners of the image, half a pixel beyond the centres, stay where they are.
    for u, resized_u in ((-0.5, -0.5), (639.5, 319.5)):
        assert (resized_u - resized.cx) / resized.fx == pytest.approx((u - camera.cx) / camera.fx)
    for v, resized_v in ((-0.5, -0.5), (479.5, 119.5)):
        assert (resized_v - resized.cy) / resized.fy == pytest.approx((v - camera.cy) / camera.fy)


def test_resizing_follows_the_half_pixel_formula():
    assert Intrinsics(100.0, 100.0, 63.5, 47.5).resized((96, 128), (48, 64)) == Intrinsics(
        50.0, 50.0, 31.5, 23.5
    )


def test_resizing_and_back_changes_nothing():
    camera = Intrinsics(518.86, 519.47, 325.58, 253.74)
    back = camera.resized((480, 640), (97, 130)).resized((97, 130), (480, 640))
    np.testing.assert_allclose(back.matrix(), camera.matrix(), rtol=1e-12)


def test_matrix_projects_points_of_the_optical_frame():
    camera = Intrinsics(500.0, 480.0, 310.5, 251.0)
    u, v, w = camera.matrix() @ (0.4, -0.2, 2.0)
    assert (u / w, v / w) == pytest.approx((410.5, 203.0))


@pytest.mark.parametrize('sizes', [((0, 640), (480, 640)), ((480, 640), (480, -1))])
def test_resizing_refuses_sizes_that_are_not_positive(sizes):
    with pytest.raises(ValueError, match='must be positive'):
        Intrinsics(1.0, 1.0, 0.0, 0.0).resized(*sizes)
