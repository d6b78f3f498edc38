"""Clouds against depth_image_proc's formula in a loop, read byte by byte as PCL reads them."""

import math
import struct

import numpy as np
import pytest
from frames import camera_info, header, picture
from sensor_msgs.msg import PointField

from emuformer_ros.maps.point_cloud import PointClouds

HEIGHT, WIDTH = 5, 7


def maps(seed=0):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 9, (HEIGHT, WIDTH)).astype(np.float32)
    depth[1, 2] = depth[4, 6] = np.nan
    std = rng.random((HEIGHT, WIDTH)).astype(np.float32)
    return depth, std, picture(HEIGHT, WIDTH), rng.integers(0, 9, (HEIGHT, WIDTH), np.uint8)


def info(fx=40.0, fy=30.0):
    made = camera_info(np.zeros((HEIGHT, WIDTH)), fx, fy)
    made.k[2], made.k[5] = 3.25, 1.75
    made.p[2], made.p[6] = 3.25, 1.75
    return made


def points_of(cloud) -> dict[tuple[int, int], dict[str, float]]:
    """Every point by row and column, each field by its own offset and type."""
    formats = {PointField.FLOAT32: 'f', PointField.UINT32: 'I'}
    order = '>' if cloud.is_bigendian else '<'
    data = bytes(cloud.data)
    return {
        (row, column): {
            field.name: struct.unpack_from(
                order + formats[field.datatype],
                data,
                row * cloud.row_step + column * cloud.point_step + field.offset,
            )[0]
            for field in cloud.fields
        }
        for row in range(cloud.height)
        for column in range(cloud.width)
    }


def test_points_lie_where_depth_image_proc_puts_them():
    depth, std, image, classes = maps()
    camera = info()
    cloud = PointClouds().make(header(3), camera, depth, std, image, classes)

    fx, fy, cx, cy = camera.p[0], camera.p[5], camera.p[2], camera.p[6]
    for (v, u), point in points_of(cloud).items():
        z = float(depth[v, u])
        expected = ((u - cx) * z / fx, (v - cy) * z / fy, z)
        np.testing.assert_allclose((point['x'], point['y'], point['z']), expected, rtol=1e-6)


def test_points_without_depth_are_nan_in_all_three_coordinates():
    depth, std, image, classes = maps()
    points = points_of(PointClouds().make(header(3), info(), depth, std, image, classes))

    missing = {pixel for pixel, p in points.items() if math.isnan(p['z'])}
    assert missing == {(1, 2), (4, 6)}
    for pixel, point in points.items():
        assert math.isnan(point['x']) == math.isnan(point['y']) == (pixel in missing)


def test_points_carry_colour_class_and_standard_deviation_of_their_pixel():
    depth, std, image, classes = maps()
    cloud = PointClouds().make(header(3), info(), depth, std, image, classes)

    for (v, u), point in points_of(cloud).items():
        # As pcl::RGB: blue in the lowest byte, and nothing in the highest.
        blue, green, red, rest = struct.pack('<f', point['rgb'])
        assert ((red, green, blue), rest) == (tuple(image[v, u]), 0)
        assert point['label'] == classes[v, u]
        assert point['depth_std'] == std[v, u]


def test_the_cloud_is_organised_as_the_image_and_not_dense():
    cloud = PointClouds().make(header(3), info(), *maps())

    assert cloud.header == header(3)
    assert (cloud.height, cloud.width) == (HEIGHT, WIDTH)
    assert cloud.row_step == WIDTH * cloud.point_step
    assert len(cloud.data) == HEIGHT * cloud.row_step
    assert cloud.is_dense is False


def test_the_projection_of_a_rectified_camera_goes_before_that_of_the_raw_one():
    depth, std, image, classes = maps()
    camera = info()
    camera.k[0], camera.k[2] = 123.0, 0.5
    cloud = PointClouds().make(header(3), camera, depth, std, image, classes)

    assert points_of(cloud)[0, 6]['x'] == pytest.approx((6 - 3.25) * depth[0, 6] / 40)


def test_a_camera_without_projection_matrix_has_its_intrinsics():
    depth, std, image, classes = maps()
    camera = info()
    camera.p = np.zeros(12)
    cloud = PointClouds().make(header(3), camera, depth, std, image, classes)

    assert points_of(cloud)[2, 5]['x'] == pytest.approx((5 - 3.25) * depth[2, 5] / 40)
    assert points_of(cloud)[2, 5]['y'] == pytest.approx((2 - 1.75) * depth[2, 5] / 30)


def test_points_of_a_network_without_classes_are_unlabelled():
    depth, std, image, _ = maps()
    cloud = PointClouds().make(header(3), info(), depth, std, image, None)

    assert {point['label'] for point in points_of(cloud).values()} == {255}


def test_clouds_that_share_a_message_share_nothing_else():
    depth, *others = maps(0)
    clouds = PointClouds()
    clouds.make(header(3), info(), np.full_like(depth, np.nan), *others)
    again = points_of(clouds.make(header(4), info(), *maps(1)))
    in_between = clouds.make(header(5), info(), *(values[:, :-1] for values in maps(2)))
    fresh = points_of(clouds.make(header(6), info(), *maps(1)))

    np.testing.assert_equal(again, fresh)
    assert in_between.width == WIDTH - 1
    assert in_between.header == header(5)
