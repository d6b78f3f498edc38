"""What every metric here is made of: counts and sums that updates and processes add up."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from emu_model.shapes import check_mask, check_same_shape


class StreamingMetric(Metric):
    """A metric whose whole state is int64 counts and float64 sums of a fixed size.

    So it stays exact over billions of pixels, keeps no pixel, and is merged over batches, shards
    and processes by addition. compute() gives a dict of float64 tensors by key, NaN where there
    was nothing to measure, and may add curves under the key 'curves'.
    """

    full_state_update = False

    def __init__(self) -> None:
        # States are also merged from outside, which a cached result would not notice.
        super().__init__(compute_with_cache=False)

    def add_counts(self, name: str, *size: int) -> None:
        """Add a state of int64 zeros that is summed over processes."""
        self.add_state(name, torch.zeros(size, dtype=torch.int64), dist_reduce_fx='sum')

    def add_sums(self, name: str, *size: int) -> None:
        """Add a state of float64 zeros that is summed over processes."""
        self.add_state(name, torch.zeros(size, dtype=torch.float64), dist_reduce_fx='sum')


class PixelCount(StreamingMetric):
    """How many pixels the figures of a group rest on, and how many it had to leave out."""

    pixels: Tensor
    nonfinite: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_counts('pixels')
        self.add_counts('nonfinite')

    def update(self, counted: Tensor, nonfinite: Tensor) -> None:
        """Add a batch.

        Args:
            counted: The pixels that the group counts, bool (B, H, W).
            nonfinite: The pixels that it would count were the prediction finite, bool (B, H, W).
        """
        self.pixels += counted.sum()
        self.nonfinite += nonfinite.sum()

    def compute(self) -> dict[str, Tensor]:
        """`pixels` and `nonfinite_pixels`, int64."""
        return {'pixels': self.pixels, 'nonfinite_pixels': self.nonfinite}


class PixelMeans(StreamingMetric):
    """Means of per-pixel values, pooled over all pixels of all images.

    Args:
        keys: What to call the means.
    """

    total: Tensor
    pixels: Tensor

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys
        self.add_sums('total', len(keys))
        self.add_counts('pixels')

    def update(self, values: Sequence[Tensor], counted: Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            values: One map per key, float (B, H, W); any value where not counted.
            counted: The pixels to average over, bool (B, H, W).

        Raises:
            ValueError: If a map has another shape than `counted`.
        """
        for value in values:
            check_same_shape(value=value, counted=counted)
        self.add_pixels([value[counted] for value in values])

    def add_pixels(self, values: Sequence[Tensor]) -> None:
        """Add pixels that have been picked already: one (N,) for each key."""
        self.total += torch.stack([value.sum(dtype=torch.float64) for value in values])
        self.pixels += values[0].numel()

    def compute(self) -> dict[str, Tensor]:
        """The means by key."""
        return dict(zip(self.keys, self.total / self.pixels))


class PixelShares(StreamingMetric):
    """Shares of the pixels for which something holds, pooled over all images.

    Args:
        keys: What to call the shares.
    """

    hits: Tensor
    pixels: Tensor

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys
        self.add_counts('hits', len(keys))
        self.add_counts('pixels')

    def update(self, holds: Sequence[Tensor], counted: Tensor) -> None:
        """Add the pixels of a batch.

        Args:
            holds: One map per key, bool (B, H, W); any value where not counted.
            counted: The pixels to count, bool (B, H, W).

        Raises:
            ValueError: If a map has another shape than `counted` or is not bool.
        """
        for index, hold in enumerate(holds):
            check_same_shape(hold=hold, counted=counted)
            check_mask(hold=hold, counted=counted)
            self.hits[index] += (hold & counted).sum()
        self.pixels += counted.sum()

    def compute(self) -> dict[str, Tensor]:
        """The shares by key, 0 to 1."""
        return dict(zip(self.keys, self.hits.double() / self.pixels))


class ImageMeans(StreamingMetric):
    """Base of metrics that are computed on each image and averaged over images.

    Args:
        size: How many numbers an image gives.
    """

    total: Tensor
    images: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.add_sums('total', size)
        self.add_counts('images')

    def add_image(self, numbers: Tensor) -> None:
        """Add the numbers of one image, float (size,)."""
        self.total += numbers
        self.images += 1

    def means(self) -> Tensor:
        """Average over images, float64 (size,); NaN before the first."""
        return self.total / self.images
