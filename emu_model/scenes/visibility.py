"""What is seen where: rays against the primitives that matter.

A primitive is tested only against the rays within the rectangle that its bounding box covers,
in the image for sight and in the plane across the light for shadows. The (primitive, ray) pairs
of all rectangles form one flat list, so that the number of NumPy calls does not grow with the
number of primitives.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emu_model.scenes.camera import NEAR_M, Camera
from emu_model.scenes.intersect import HITS
from emu_model.scenes.primitives import Primitives

_CHUNK = 1 << 14
_ID_BITS = 0xFFFF
_NOTHING = np.int64(np.array(np.inf).view(np.int64) | _ID_BITS)


@dataclass(frozen=True)
class Pairs:
    """Bodies and rays to be tested against each other.

    Attributes:
        bodies: Body of each run of pairs, int64 (R,).
        lengths: Pairs in each run, int64 (R,).
        ray: Ray of each pair, int64 (P,).
    """

    bodies: np.ndarray
    lengths: np.ndarray
    ray: np.ndarray

    def of_body(self, values: np.ndarray) -> np.ndarray:
        """The body's value for each pair, (P,), of one value per body.

        Repeating runs takes a third of the time of picking by index.
        """
        return np.repeat(values.take(self.bodies), self.lengths)


@dataclass(frozen=True)
class Grid:
    """Rays sorted into the cells of a grid, row by row.

    Attributes:
        columns: Cells of a row.
        starts: Number of the first ray of each cell, and of all rays at the end, int64.
    """

    columns: int
    starts: np.ndarray

    @staticmethod
    def of_cells(cells: np.ndarray, rows: int, columns: int) -> 'Grid':
        """From the cell of every ray, in any order."""
        counts = np.bincount(cells, minlength=rows * columns)
        return Grid(columns, np.concatenate([[0], np.cumsum(counts)]))

    def pairs(self, bounds: np.ndarray) -> Iterator[Pairs]:
        """All (body, ray) pairs of bodies and the rays in their rectangles, in chunks.

        Args:
            bounds: First column, end column, first row, end row of each body, int64 (4, N).
        """
        first_column, end_column, first_row, end_row = bounds
        rows = np.where(end_column > first_column, end_row - first_row, 0)
        body = np.repeat(np.arange(len(rows)), rows)
        row = np.arange(len(body)) - np.repeat(np.cumsum(rows) - rows - first_row, rows)
        # The rays of neighbouring cells are neighbours: a row of a rectangle is one range.
        start = self.starts[row * self.columns + first_column[body]]
        length = self.starts[row * self.columns + end_column[body]] - start
        chunk = np.cumsum(length) // _CHUNK
        cuts = np.flatnonzero(np.diff(chunk, prepend=-1))
        for begin, end in zip(cuts, [*cuts[1:], len(chunk)]):
            n = length[begin:end]
            shift = start[begin:end] - (np.cumsum(n) - n)
            yield Pairs(body[begin:end], n, np.arange(n.sum()) + np.repeat(shift, n))


@dataclass(frozen=True)
class Samples:
    """Points of the image at which rays are cast, sorted by pixel.

    Attributes:
        x: Ray direction to the right, optical frame with z = 1, float64 (N,).
        y: Ray direction downwards, likewise.
        grid: The pixels they belong to.
    """

    x: np.ndarray
    y: np.ndarray
    grid: Grid

    def __len__(self) -> int:
        return len(self.x)


def sample(camera: Camera, offsets: np.ndarray, pixels: np.ndarray | None = None) -> Samples:
    """Samples at the same offsets from the centres of all or some pixels.

    Args:
        camera: The camera.
        offsets: Columns and rows beside the pixel's centre, float64 (S, 2), within ±½.
        pixels: Ascending indices into the flattened image, int64; all by default.

    Returns:
        The S samples of the first pixel, of the second one, and so on.
    """
    if pixels is None:
        pixels = np.arange(camera.height * camera.width)
    row, column = np.divmod(pixels, camera.width)
    u = (column[:, None] + offsets[:, 0]).ravel()
    v = (row[:, None] + offsets[:, 1]).ravel()
    x, y = camera.rays(u, v)
    cells = np.repeat(pixels, len(offsets))
    return Samples(x, y, Grid.of_cells(cells, camera.height, camera.width))


def trace(
    camera: Camera, primitives: Primitives, samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest surface on every ray.

    Returns:
        Depth along the optical axis in metres, float64 (samples,), inf for none; and the index
        of the primitive, int64 (samples,), -1 for none.

    Raises:
        ValueError: If there are too many primitives for the depth buffer.
    """
    if len(primitives) >= _ID_BITS:
        raise ValueError(
            f'{len(primitives)} primitives in one picture, at most {_ID_BITS - 1} are possible: '
            'build the scene from fewer'
        )
    # Positive doubles are ordered as their bits are. A depth with the primitive's number in its
    # lowest bits makes nearest-wins a plain minimum, at a relative cost of 2^-36 in depth, and
    # ties fall the same way on every machine.
    nearest = np.full(len(samples), _NOTHING)
    bounds = camera.bounds(primitives)
    to_unit = np.einsum('nij,kj->ikn', primitives.to_unit, camera.axes)
    origin = np.einsum(
        'nij,nj->in', primitives.to_unit, np.array(camera.position) - primitives.centre
    )
    for shape, hit in HITS.items():
        own = np.flatnonzero(primitives.shape == shape)
        turn, start = to_unit[:, :, own], origin[:, own]
        for pairs in samples.grid.pairs(bounds[:, own]):
            x, y = samples.x.take(pairs.ray), samples.y.take(pairs.ray)
            across, down, ahead = ([pairs.of_body(t[k]) for t in turn] for k in range(3))
            direction = tuple(a * x + d * y + f for a, d, f in zip(across, down, ahead))
            enter, leave = hit(tuple(pairs.of_body(s) for s in start), direction)
            seen = ((enter <= leave) & (enter > NEAR_M)).nonzero()[0]
            key = enter[seen].view(np.int64) & ~_ID_BITS | pairs.of_body(own)[seen]
            np.minimum.at(nearest, pairs.ray[seen], key)
    found = nearest != _NOTHING
    depth = (nearest & ~_ID_BITS).view(np.float64)
    return depth, np.where(found, nearest & _ID_BITS, -1)
