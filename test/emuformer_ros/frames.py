"""Camera frames to send, and maps to read from what comes back."""

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from emuformer_ros.camera.image_conversion import to_message

IMAGE_TOPIC = '/camera/image_raw'
DTYPES = {'mono8': np.uint8, '32FC1': np.float32, 'rgb8': np.uint8}


def picture(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """A picture with smooth and sharp parts, RGB uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3)).repeat(-(-height // 6), 0).repeat(-(-width // 8), 1)
    noise = rng.integers(-20, 21, (height, width, 3))
    return (coarse[:height, :width] + noise).clip(0, 255).astype(np.uint8)


def header(second: int, frame_id: str = 'camera_optical_frame') -> Header:
    made = Header(frame_id=frame_id)
    made.stamp.sec, made.stamp.nanosec = second, 987654321
    return made


def image_message(pixels: np.ndarray, second: int = 1) -> Image:
    return to_message(pixels, 'rgb8', header(second))


def camera_info(pixels: np.ndarray, fx: float, fy: float, second: int = 1) -> CameraInfo:
    """Of a camera whose principal point is in the middle."""
    height, width = pixels.shape[:2]
    cx, cy = (width - 1) / 2, (height - 1) / 2
    return CameraInfo(
        header=header(second),
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def pixels_of(message: Image) -> np.ndarray:
    """The map that a message has."""
    flat = np.frombuffer(message.data, DTYPES[message.encoding])
    shape = (message.height, message.width)
    return flat.reshape(*shape, 3) if message.encoding == 'rgb8' else flat.reshape(shape)
