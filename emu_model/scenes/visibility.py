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
from emu_model.scenes.runs import Runs

_CHUNK = 1 << 15
_ID_BITS = 0xFFFF
_NOTHING = np.int64(np.array(np.inf).view(np.int64) | _ID_BITS)


@dataclass(frozen=True)
class Pairs:
    """Bodies and rays to be tested against each other.

    Attributes:
        bodies: Body of each pair, P in all.
        ray: Ray of each pair, int64 (P,).
    """

    bodies: Runs
    ray: np.ndarray

    def of_body(self, values: np.ndarray) -> np.ndarray:
        """The body's value for each pair, (…, P), of one value per body, (…, N)."""
        return self.bodies.spread(values)

    def only(self, kept: np.ndarray) -> 'Pairs':
        """Those of a mask, bool (P,)."""
        places = kept.nonzero()[0]
        return Pairs(self.bodies.only(places), self.ray.take(places))


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
        inside = ((bounds[0] < bounds[1]) & (bounds[2] < bounds[3])).nonzero()[0]
        if not inside.size:
            return
        first_column, end_column, first_row, end_row = bounds.take(inside, axis=1)
        rows = Runs(np.arange(len(inside)), end_row - first_row)
        cell = rows.spread(first_row - rows.starts)
        cell += np.arange(len(cell))
        cell *= self.columns
        # The rays of neighbouring cells are neighbours: a row of a rectangle is one range.
        start = self.starts.take(cell + rows.spread(first_column))
        length = self.starts.take(cell + rows.spread(end_column)) - start
        bodies = Runs(inside, np.add.reduceat(length, rows.starts))
        ranges = Runs(np.arange(len(length)), length)
        shift = start - ranges.starts
        total = int(ranges.ends[-1])
        for begin in range(0, total, _CHUNK):
            end = min(begin + _CHUNK, total)
            ray = ranges.part(begin, end).spread(shift)
            ray += np.arange(begin, end)
            yield Pairs(bodies.part(begin, end), ray)


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


class Sight:
    """Primitives as a camera sees them.

    Args:
        camera: The camera.
        primitives: What there is to be seen.

    Raises:
        ValueError: If there are too many primitives for the depth buffer.
    """

    def __init__(self, camera: Camera, primitives: Primitives) -> None:
        if len(primitives) >= _ID_BITS:
            raise ValueError(
                f'{len(primitives)} primitives in one picture, at most {_ID_BITS - 1} are '
                'possible: build the scene from fewer'
            )
        self._shape = primitives.shape
        self._bounds = camera.bounds(primitives)
        self._turn = np.einsum('nij,kj->ikn', primitives.to_unit, camera.axes)
        self._start = np.einsum(
            'nij,nj->in', primitives.to_unit, np.array(camera.position) - primitives.centre
        )

    def trace(
        self, samples: Samples, among: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest surface on every ray.

        Args:
            samples: The rays.
            among: Ascending indices of the primitives that count, int64; all by default.

        Returns:
            Depth along the optical axis in metres, float64 (samples,), inf for none; and the
            index of the primitive, int64 (samples,), -1 for none.
        """
        # Positive doubles are ordered as their bits are. A depth with the primitive's number in
        # its lowest bits makes nearest-wins a plain minimum, at a relative cost of 2^-36 in
        # depth, and ties fall the same way on every machine.
        nearest = np.full(len(samples), _NOTHING)
        among = np.arange(len(self._shape)) if among is None else among
        for shape, hit in HITS.items():
            own = among[self._shape[among] == shape]
            turn, start = self._turn[:, :, own], self._start[:, own]
            for pairs in samples.grid.pairs(self._bounds[:, own]):
                x, y = samples.x.take(pairs.ray), samples.y.take(pairs.ray)
                direction = []
                for across, down, ahead in pairs.of_body(turn):
                    across *= x
                    down *= y
                    across += down
                    across += ahead
                    direction.append(across)
                enter, leave = hit(pairs.of_body(start), direction)
                seen = ((enter <= leave) & (enter > NEAR_M)).nonzero()[0]
                key = enter.take(seen).view(np.int64) & ~_ID_BITS | pairs.of_body(own).take(seen)
                np.minimum.at(nearest, pairs.ray.take(seen), key)
        found = nearest != _NOTHING
        depth = (nearest & ~_ID_BITS).view(np.float64)
        return depth, np.where(found, nearest & _ID_BITS, -1)
