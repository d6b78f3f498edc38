"""What of a camera's image a network sees: all of it, padded to the network's shape, or a part.

The part is a window of whole image pixels around the image's middle, which is then resized to the
network's size: so pixels have one exact place in the image, the network's picture and the maps.
"""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from emu_model.labels import UNLABELLED
from emu_model.prediction import Prediction

RESIZE_MODES = ('resize', 'letterbox', 'crop')
"""'resize' stretches the image to the network's shape, 'letterbox' pads it, 'crop' cuts it."""

PADDING_COLOUR = (124, 116, 104)
"""RGB of padded pixels: ImageNet's mean, which normalisation takes to about zero."""

_UNKNOWN = {'classes': UNLABELLED, 'confidence': 0.0, 'instances': 0}
"""Values of maps where the network saw nothing; NaN in the others."""


@dataclass(frozen=True)
class Framing:
    """The window of a camera's image that a network sees; it can reach beyond the image.

    Attributes:
        image_size: (height, width) of the image.
        top: The window's first row, in rows of the image; negative where it is padded.
        left: The window's first column, likewise.
        size: (height, width) of the window, in pixels of the image.
    """

    image_size: tuple[int, int]
    top: int
    left: int
    size: tuple[int, int]

    @classmethod
    def whole(cls, image_size: tuple[int, int]) -> 'Framing':
        """All of an image."""
        return cls(image_size, 0, 0, image_size)

    @property
    def is_whole(self) -> bool:
        """Whether the window is the image."""
        return self.size == self.image_size

    def picture(self, image: np.ndarray) -> np.ndarray:
        """The window of an image.

        Args:
            image: RGB, uint8 (H, W, 3), of `image_size`.

        Returns:
            uint8 (h, w, 3) of `size`, PADDING_COLOUR where there is no image; it may share the
            image's memory.
        """
        (rows, columns), _ = self._overlap()
        inside = image[rows, columns]
        if inside.shape[:2] == self.size:
            return inside
        above, before = max(-self.top, 0), max(-self.left, 0)
        below, after = (
            length - inside_length - start
            for length, inside_length, start in zip(self.size, inside.shape, (above, before))
        )
        return cv2.copyMakeBorder(
            inside, above, below, before, after, cv2.BORDER_CONSTANT, value=PADDING_COLOUR
        )

    def undo(self, prediction: Prediction) -> Prediction:
        """Maps of the window to maps of the image.

        Args:
            prediction: Maps (h, w) of `size`.

        Returns:
            Maps (H, W) of `image_size`; unknown (`blank`) where the window is not.
        """
        if self.is_whole:
            return prediction
        target, source = self._overlap()
        maps = {}
        for name, value in prediction.maps().items():
            if value[source].shape == self.image_size:
                maps[name] = value[source]
                continue
            maps[name] = np.full(self.image_size, unknown_value(name), value.dtype)
            maps[name][target] = value[source]
        return Prediction(**maps)

    def unseen(self, size: tuple[int, int], unknown: np.ndarray | None = None) -> np.ndarray:
        """Where the window, resized, has its centres of pixels in padding or in what is unknown.

        Args:
            size: (height, width) that the window is resized to.
            unknown: Parts of the image that mean nothing, bool (H, W); none by default.

        Returns:
            bool (height, width).
        """
        rows, columns = (
            np.floor(start + (np.arange(length) + 0.5) * window / length).astype(int)
            for start, window, length in zip((self.top, self.left), self.size, size)
        )
        height, width = self.image_size
        outside_rows = (rows < 0) | (rows >= height)
        outside_columns = (columns < 0) | (columns >= width)
        unseen = outside_rows[:, None] | outside_columns
        if unknown is not None:
            unseen |= unknown[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        return unseen

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The rows and columns that image and window share, of the image and of the window."""
        in_image, in_window = [], []
        for start, window, image in zip((self.top, self.left), self.size, self.image_size):
            first, last = max(start, 0), min(start + window, image)
            in_image.append(slice(first, last))
            in_window.append(slice(first - start, last - start))
        return tuple(in_image), tuple(in_window)


def frame_window(image_size: tuple[int, int], network_size: tuple[int, int], mode: str) -> Framing:
    """The window of an image that a network of some size sees.

    Args:
        image_size: (height, width) of the image.
        network_size: (height, width) that the window is resized to.
        mode: One of RESIZE_MODES. But for 'resize', the window has the shape of the network's
            picture, to the nearest pixel of the image.

    Raises:
        ValueError: If there is no such mode.
    """
    if mode not in RESIZE_MODES:
        raise ValueError(f"no resize mode '{mode}': choose of {', '.join(RESIZE_MODES)}")
    height, width = image_size
    if mode != 'resize':
        is_wide = width * network_size[0] > height * network_size[1]
        if is_wide == (mode == 'letterbox'):
            height = max(1, round(width * network_size[0] / network_size[1]))
        else:
            width = max(1, round(height * network_size[1] / network_size[0]))
    return Framing(
        image_size, (image_size[0] - height) // 2, (image_size[1] - width) // 2, (height, width)
    )


def blank(prediction: Prediction, unknown: np.ndarray) -> Prediction:
    """The maps without what is not known.

    Args:
        prediction: Maps (H, W).
        unknown: Where they mean nothing, bool (H, W).

    Returns:
        A copy in which classes are unlabelled there, confidence and instances 0, all else NaN.
    """
    maps = {
        name: np.where(unknown, np.asarray(unknown_value(name), value.dtype), value)
        for name, value in prediction.maps().items()
    }
    return dataclasses.replace(prediction, **maps)


def unknown_value(name: str) -> float:
    """The value of a map where nothing is known."""
    return _UNKNOWN.get(name, np.nan)
