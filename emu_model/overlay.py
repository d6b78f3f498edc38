"""Semantic classes drawn over the camera image; fast enough for every frame of a camera."""

from collections.abc import Sequence

import cv2
import numpy as np

from emu_model.labels import UNLABELLED


def blend_classes(
    image: np.ndarray,
    classes: np.ndarray,
    palette: Sequence[tuple[int, int, int]],
    opacity: float = 0.5,
    unlabelled: int = UNLABELLED,
) -> np.ndarray:
    """The camera image with each pixel's class colour blended over it.

    Pixels without a class (`unlabelled`, or an id that the palette does not have) keep the
    camera's colour.

    Args:
        image: RGB, uint8 (H, W, 3).
        classes: Class ids, uint8 (H, W).
        palette: (red, green, blue) 0…255 per class id.
        opacity: Weight of the class colour, 0 (camera alone) to 1 (classes alone).
        unlabelled: Class id of pixels that have no class.

    Returns:
        RGB, uint8 (H, W, 3), C-contiguous; `image` is left as it is.

    Raises:
        ValueError: If the sizes or types of image and classes do not match, or the opacity is
            out of range.
    """
    if image.dtype != np.uint8 or classes.dtype != np.uint8:
        raise ValueError(
            f'image is {image.dtype}, classes are {classes.dtype}: both must be uint8'
        )
    if image.shape != (*classes.shape, 3):
        raise ValueError(
            f'image is {image.shape}, classes are {classes.shape}: expected (H, W, 3) and (H, W) '
            'of one size'
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity is {opacity}: expected 0 to 1')

    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette), 0] = palette
    # A lookup in a table of our own; OpenCV's is several times as fast as NumPy's indexing.
    colours = cv2.applyColorMap(np.ascontiguousarray(classes), table)
    blended = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    bare = (classes >= len(palette)) | (classes == unlabelled)
    if bare.any():
        blended[bare] = image[bare]
    return blended
