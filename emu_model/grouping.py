"""Instances from classes and offsets: every pixel votes for a centroid, votes are grouped.

Kendall et al. (2018, arXiv 1705.07115) group the votes by OPTICS (Ankerst et al. 1999), which
takes seconds a frame. Counting votes in cells and taking the peaks is the Hough transform's way
(Ballard 1981, Leibe et al. 2004) and takes a hundredth of that. Both group the pixels of each
class for themselves, so that an object has one class.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

MOST_INSTANCES = np.iinfo(np.uint16).max
"""Ids are uint16, and 0 is no instance."""

_CELLS_IN_A_BANDWIDTH = 8
"""Votes in one cell join the same peak: the one nearest to the cell's centre."""

_OPTICS_POINTS = 800
"""Votes of a class that OPTICS sorts; its time grows with their square."""


def centroid_offsets(instances: np.ndarray) -> np.ndarray:
    """How far the centroid of each pixel's object is, from the ids of objects.

    Args:
        instances: Ids, any integer type (H, W); 0 = none.

    Returns:
        Pixels to the right and down, float32 (2, H, W); zero where there is no object.
    """
    ids = np.asarray(instances).astype(np.int64)
    pixels = np.maximum(np.bincount(ids.ravel()), 1)
    offsets = np.empty((2, *ids.shape), np.float32)
    for axis, positions in enumerate(reversed(np.indices(ids.shape))):
        centroids = np.bincount(ids.ravel(), positions.ravel()) / pixels
        offsets[axis] = centroids[ids] - positions
    offsets[:, ids == 0] = 0
    return offsets


def group_by_votes(
    classes: np.ndarray,
    offset_x: np.ndarray,
    offset_y: np.ndarray,
    things: Sequence[int],
    *,
    bandwidth_px: float | None = None,
    least_pixels: int = 10,
) -> np.ndarray:
    """Instances as the peaks of the votes: each pixel joins the peak nearest to its vote.

    Args:
        classes: Class ids, uint8 (H, W).
        offset_x: Pixels to the centroid, to the right, float32 (H, W).
        offset_y: The same downwards.
        things: Ids of the classes whose objects are told apart.
        bandwidth_px: How near to each other the votes for one object lie; by default
            `default_bandwidth` of the map.
        least_pixels: Smaller groups are no instance.

    Returns:
        Ids from 1 on, uint16 (H, W); 0 = none.
    """
    bandwidth = bandwidth_px or default_bandwidth(classes.shape)

    def assign(votes: np.ndarray) -> np.ndarray:
        # Votes of an object lie together: far fewer cells than votes are to be compared.
        cells, cell_of_vote = _occupied(votes, bandwidth / _CELLS_IN_A_BANDWIDTH)
        return _nearest(cells, _peaks(votes, bandwidth, least_pixels))[cell_of_vote]

    return _group(classes, offset_x, offset_y, things, least_pixels, assign)


def group_by_optics(
    classes: np.ndarray,
    offset_x: np.ndarray,
    offset_y: np.ndarray,
    things: Sequence[int],
    *,
    bandwidth_px: float | None = None,
    least_pixels: int = 10,
) -> np.ndarray:
    """Instances as the clusters that OPTICS finds; arguments and result as of `group_by_votes`.

    Of many votes, some spread evenly over the pixels are clustered, and the others join the
    cluster whose mean is nearest.

    Raises:
        ModuleNotFoundError: If scikit-learn is missing.
    """
    try:
        from sklearn.cluster import OPTICS
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'OPTICS comes from scikit-learn, which is missing: install the extra '
            'emuformer_ros[optics], or group by votes'
        ) from error
    bandwidth = bandwidth_px or default_bandwidth(classes.shape)

    def assign(votes: np.ndarray) -> np.ndarray:
        step = -(-len(votes) // _OPTICS_POINTS)
        chosen = votes[::step]
        least = max(2, least_pixels // step)
        if len(chosen) <= least:
            return np.zeros(len(votes), np.int64)
        optics = OPTICS(
            min_samples=least, max_eps=4 * bandwidth, cluster_method='dbscan', eps=bandwidth
        )
        labels = optics.fit_predict(chosen)
        means = [chosen[labels == label].mean(axis=0) for label in range(labels.max() + 1)]
        return _nearest(votes, np.array(means or [votes.mean(axis=0)]))

    return _group(classes, offset_x, offset_y, things, least_pixels, assign)


GROUPINGS = {'votes': group_by_votes, 'optics': group_by_optics}
"""Ways to instances by name; engines take the first."""


def default_bandwidth(size: tuple[int, int]) -> float:
    """How near votes for one object lie, in pixels of a map of (height, width).

    A ninetieth of the root of its area: 2 pixels at 128x256, 16 at 1024x2048. Narrower tells more
    objects apart and takes more exact offsets (benchmarks/grouping.py).
    """
    return max(1.0, (size[0] * size[1]) ** 0.5 / 90)


def _group(
    classes: np.ndarray,
    offset_x: np.ndarray,
    offset_y: np.ndarray,
    things: Sequence[int],
    least_pixels: int,
    assign: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Give the votes of each class to `assign`, and the groups it numbers from 0 an id each."""
    instances = np.zeros(classes.shape, np.uint16)
    found = 0
    for thing in things:
        rows, columns = np.nonzero(classes == thing)
        if len(rows) < least_pixels:
            continue
        votes = np.stack([columns + offset_x[rows, columns], rows + offset_y[rows, columns]], 1)
        # An untrained head points anywhere, and cells are counted up to the farthest vote.
        reach = np.array(classes.shape[::-1], np.float32)
        groups = assign(np.nan_to_num(votes).clip(-reach, 2 * reach).astype(np.float32))
        large = np.flatnonzero(np.bincount(groups) >= least_pixels)[: MOST_INSTANCES - found]
        ids = np.zeros(groups.max() + 1, np.uint16)
        ids[large] = found + 1 + np.arange(len(large))
        instances[rows, columns] = ids[groups]
        found += len(large)
    return instances


@dataclass(frozen=True)
class _Grid:
    """Square cells that votes are sorted into.

    Attributes:
        origin: Centre of the first cell, x and y.
        size: Of a cell, in pixels.
        width: Cells of a row.
        height: Rows.
        cells: Each vote's, row by row, int64 (votes,).
    """

    origin: np.ndarray
    size: float
    width: int
    height: int
    cells: np.ndarray

    @staticmethod
    def of(votes: np.ndarray, size: float) -> '_Grid':
        """Around votes, (N, 2) x and y."""
        origin = votes.min(axis=0)
        columns, rows = np.rint((votes - origin) / size).astype(np.int64).T
        width, height = columns.max() + 1, rows.max() + 1
        return _Grid(origin, size, width, height, rows * width + columns)


def _peaks(votes: np.ndarray, bandwidth: float, least_votes: int) -> np.ndarray:
    """Where votes gather, (N, 2) x and y: maxima of their density within a bandwidth."""
    grid = _Grid.of(votes, bandwidth / 2)
    counts = np.bincount(grid.cells, minlength=grid.width * grid.height)
    counts = counts.reshape(grid.height, grid.width).astype(np.float32)
    kernel = cv2.getGaussianKernel(17, sigma=2)
    density = cv2.sepFilter2D(counts, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    highest = cv2.dilate(density, np.ones((5, 5), np.uint8))
    enough = least_votes * kernel.max() ** 2  # so many votes for one point have this density
    peaks = ((density == highest) & (density >= enough)).astype(np.uint8)
    _, _, _, centres = cv2.connectedComponentsWithStats(peaks)  # cells side by side are one peak
    if len(centres) < 2:
        return votes.mean(axis=0, keepdims=True)
    return grid.origin + centres[1:] * grid.size


def _occupied(votes: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the cells with votes in them, float32 (N, 2), and the number of each vote's."""
    grid = _Grid.of(votes, size)
    occupied, of_vote = np.unique(grid.cells, return_inverse=True)
    places = np.stack([occupied % grid.width, occupied // grid.width], axis=1)
    return (grid.origin + places * size).astype(np.float32), of_vote


def _nearest(votes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Number of the centre nearest to each vote."""
    nearest = np.zeros(len(votes), np.int64)
    best = np.full(len(votes), np.inf, np.float32)
    for number, centre in enumerate(centres.astype(np.float32)):
        distance = np.square(votes - centre).sum(axis=1)
        closer = distance < best
        nearest[closer], best[closer] = number, distance[closer]
    return nearest
