import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from emuformer_ros.camera.image_conversion import to_message
from emuformer_ros.maps.image_serialisation import serialise_image

CHANNELS = {'mono8': (), 'rgb8': (3,), '32FC1': ()}
DTYPES = {'mono8': np.uint8, 'rgb8': np.uint8, '32FC1': np.float32}


@given(
    encoding=st.sampled_from(list(CHANNELS)),
    height=st.integers(1, 5),
    width=st.integers(1, 7),
    frame_id=st.text(
        st.characters(exclude_characters='\0', exclude_categories=['Cs']), max_size=9
    ),
    second=st.integers(-(2**31), 2**31 - 1),
    nanosecond=st.integers(0, 10**9 - 1),
)
def test_what_is_serialised_is_the_message(encoding, height, width, frame_id, second, nanosecond):
    shape = (height, width, *CHANNELS[encoding])
    pixels = (np.arange(np.prod(shape)).reshape(shape) * 0.5).astype(DTYPES[encoding])
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = second, nanosecond

    read = deserialize_message(serialise_image(pixels, encoding, header), Image)

    assert read == to_message(pixels, encoding, header)


@pytest.mark.parametrize('view', [np.s_[::2, ::-1], np.s_[:, 1:3]])
def test_a_map_that_is_a_view_is_written_row_by_row(view):
    pixels = np.arange(24, dtype=np.float32).reshape(4, 6)[view]
    read = deserialize_message(serialise_image(pixels, '32FC1', Header()), Image)

    np.testing.assert_array_equal(
        np.frombuffer(read.data, np.float32).reshape(pixels.shape), pixels
    )
