"""What every engine has in common: from camera frames to maps, whatever runs the network."""

import abc
import threading
from collections.abc import Sequence

import cv2
import numpy as np

from emu_model.batches import batch_of
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines.finishing import finish_maps, needed_maps
from emu_model.mit_variants import SMALLEST_FRAME, VARIANTS
from emu_model.prediction import Prediction
from emu_model.tasks import EPISTEMIC_OUTPUTS, OUTPUTS, outputs_of

PRECISIONS = ('auto', 'fp32', 'bf16', 'fp16')
"""What a network can be asked to compute in; maps are fp32 whatever it is."""


class Engine(abc.ABC):
    """A checkpoint, ready to run; threads that share it take turns.

    Args:
        info: What the checkpoint says of itself.
        network_size: (height, width) that frames are resized to; by default the only one there
            is, or the checkpoint's input size.
        only_size: The one size that an exported network takes; None if it takes any.

    Raises:
        ValueError: If the checkpoint has no heads, or the network cannot take that size.

    Attributes:
        name: The runtime, as in `create_engine(engine=...)`.
        device: Where it runs, such as 'cpu' or 'cuda:0'.
        precision: What it computes in: 'fp32', 'bf16' or 'fp16'.
        reason: Why this engine runs the checkpoint, in words.
        info: What the checkpoint says of itself.
        network_size: (height, width) that frames are resized to; None runs them as they come.
        outputs: The maps this checkpoint can give.
    """

    name: str
    device: str
    precision: str
    reason: str = 'asked for'

    def __init__(
        self,
        info: CheckpointInfo,
        network_size: tuple[int, int] | None,
        only_size: tuple[int, int] | None = None,
    ) -> None:
        if not info.tasks:
            raise ValueError(
                f'the checkpoint is an encoder without heads ({info.backbone}): train a network '
                'from it first'
            )
        asked = None if network_size is None else _as_size(network_size)
        if only_size is not None and asked not in (None, only_size):
            raise ValueError(
                f'the network was exported for frames of {only_size[0]}x{only_size[1]}, not '
                f'{asked[0]}x{asked[1]}: leave network_size out, or export it for that size'
            )
        self.info = info
        self.network_size = asked or only_size or info.input_size
        if self.network_size is not None:
            self.check_size(self.network_size)
        self._lock = threading.Lock()
        self.outputs = outputs_of(info.tasks, sampled=info.method != 'single')

    @property
    def batches(self) -> bool:
        """Whether a batch takes less time than its frames one by one: on a GPU."""
        return not self.device.startswith('cpu')

    def predict(
        self,
        images: np.ndarray,
        outputs: Sequence[str] | None = None,
        size: tuple[int, int] | None = None,
    ) -> Prediction:
        """Run the network on camera frames.

        Args:
            images: RGB, uint8, (H, W, 3) or a batch (B, H, W, 3).
            outputs: The maps wanted; all that the network has by default. Nothing else is
                computed; one that the network has no head for is None in the result.
            size: (height, width) of the maps; the images' own by default.

        Returns:
            Maps of `size`, with a batch dimension if `images` had one.

        Raises:
            ValueError: If `images` is no RGB uint8 image or too small, `size` is none, or an
                output is unknown.
        """
        batch = _as_batch(images)
        wanted = self._wanted(outputs)
        self.check_size(batch.shape[1:3])
        size = batch.shape[1:3] if size is None else _as_size(size)
        # Runtimes share the memory and refuse what is read-only, as a recorded image may be.
        frames = np.require(_resize(batch, self.network_size), requirements=('C', 'W'))
        maps = {}
        if wanted:
            with self._lock:
                maps = self._infer(frames, needed_maps(wanted, self.info), size)
            magnified = size[0] / frames.shape[1], size[1] / frames.shape[2]
            maps = finish_maps(maps, wanted, self.info, magnified)
        prediction = Prediction(**maps)
        return prediction if images.ndim == 4 else prediction[0]

    def warm_up(self, size: tuple[int, int]) -> None:
        """Run once on an empty frame of this (height, width), to make later ones fast."""
        self.predict(np.zeros((*size, 3), np.uint8))

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse frames that the network would see smaller than its encoder can take.

        Args:
            size: Their (height, width).

        Raises:
            ValueError: If it would.
        """
        require_size(self.network_size or size, self.info.backbone)

    def seed(self, number: int) -> None:
        """Start the random numbers anew that some networks draw their samples with."""

    def release_memory(self) -> None:
        """Give back memory that is kept for later frames, after it ran out."""

    def close(self) -> None:
        """Free what the engine holds; it cannot be used afterwards."""

    @abc.abstractmethod
    def _infer(
        self, images: np.ndarray, outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """Maps (B, *size) by name, of images (B, h, w, 3) uint8 at network size.

        As the raw outputs say them, which emu_model.engines.finishing makes the Prediction of.
        """

    def _wanted(self, outputs: Sequence[str] | None) -> tuple[str, ...]:
        known = (*OUTPUTS, *EPISTEMIC_OUTPUTS.values())
        unknown = sorted(set(outputs or ()) - set(known))
        if unknown:
            raise ValueError(f'no output named {", ".join(unknown)}: choose of {", ".join(known)}')
        return tuple(name for name in self.outputs if outputs is None or name in outputs)


def require_size(size: tuple[int, int], backbone: str) -> None:
    """Refuse a (height, width) of frames that is smaller than an encoder can take.

    Raises:
        ValueError: If it is.
    """
    least = SMALLEST_FRAME if backbone in VARIANTS else 1
    if min(size) < least:
        raise ValueError(
            f'a frame of {size[0]}x{size[1]} is too small for {backbone}: give it at least '
            f'{least}x{least}'
        )


def _as_batch(images: np.ndarray) -> np.ndarray:
    shaped = images.ndim in (3, 4) and images.shape[-1] == 3 and images.size > 0
    if images.dtype != np.uint8 or not shaped:
        raise ValueError(
            f'images are {images.dtype} {images.shape}: expected RGB uint8 (H, W, 3) or '
            '(B, H, W, 3), not empty'
        )
    return images if images.ndim == 4 else images[None]


def _as_size(size: Sequence[int]) -> tuple[int, int]:
    """(height, width) as integers, whatever sequence it came as."""
    pair = tuple(size)
    if len(pair) != 2 or any(value != int(value) or value < 1 for value in pair):
        raise ValueError(f'a size is (height, width), two whole numbers from 1 on, not {size}')
    return int(pair[0]), int(pair[1])


def _resize(batch: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    if size is None or batch.shape[1:3] == tuple(size):
        return batch
    height, width = size
    shrinks = height <= batch.shape[1] and width <= batch.shape[2]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return batch_of(
        [cv2.resize(image, (width, height), None, 0, 0, interpolation) for image in batch]
    )
