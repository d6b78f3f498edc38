"""Draws a world: exact geometry at pixel centres, colour averaged over the pixel at edges."""

import numpy as np

from emu_model.labels import UNLABELLED
from emu_model.scenes.camera import Camera
from emu_model.scenes.classes import LABELS
from emu_model.scenes.frame import Frame
from emu_model.scenes.sensor import expose
from emu_model.scenes.shading import background, surface_radiance
from emu_model.scenes.shadows import Shadows
from emu_model.scenes.surfaces import meet
from emu_model.scenes.visibility import Samples, Sight, sample
from emu_model.scenes.world import World

_CENTRE = np.zeros((1, 2))
# A rotated grid: four samples with four different columns and rows, so that edges along either
# image axis are smoothed as well.
_ROTATED = np.array([[-0.125, -0.375], [0.375, -0.125], [-0.375, 0.125], [0.125, 0.375]])
_CHUNK = 1 << 15
_FLAT = np.isin(
    np.arange(256),
    [LABELS.id(n) for n in ('road', 'sidewalk', 'terrain', 'floor', 'wall', 'ceiling', 'opening')],
)
_BRIGHTEST = 4.0


def draw(world: World, camera: Camera, noise: np.random.Generator | None) -> Frame:
    """The world as one eye sees it.

    Args:
        world: What is seen.
        camera: The eye.
        noise: Source of the sensor noise; None for a noiseless picture.
    """
    depth, owner, radiance = look(world, camera)
    empty = LABELS.id('sky') if world.sky else UNLABELLED
    classes = np.append(world.primitives.classes, np.uint8(empty))
    instances = np.append(world.primitives.instances, np.uint16(0))
    shape = camera.height, camera.width
    return Frame(
        image=expose(radiance, world.sensor, noise),
        depth=depth.astype(np.float32).reshape(shape),
        classes=classes[owner].reshape(shape),
        instances=instances[owner].reshape(shape),
        intrinsics=camera.intrinsics,
        baseline_m=world.baseline_m,
    )


def look(world: World, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Geometry and radiance of every pixel.

    Returns:
        Depth at the pixel centres in metres, float64 (H·W,), inf for none; the primitive there,
        int64 (H·W,), -1 for none; mean radiance of the pixels, float32 (H, W, 3).
    """
    casters = np.flatnonzero(~_FLAT[world.primitives.classes])
    shadows = Shadows(world.primitives, casters, world.light.source, camera.position)
    centres = sample(camera, _CENTRE)
    sight = Sight(camera, world.primitives)
    depth, owner = sight.trace(centres)
    lit = _lit(shadows, camera, centres, depth, owner)
    shape = camera.height, camera.width
    looks = np.append(world.primitives.look, np.inf)[owner].reshape(shape)
    edges = np.flatnonzero(_edges(looks) | _edges((lit > 0).reshape(shape)))
    fine = sample(camera, _ROTATED, edges)
    # What no pixel's centre sees has no edge to smooth.
    seen = np.unique(owner[edges])
    seen = seen[seen >= 0]
    fine_depth, fine_owner = sight.trace(fine, among=seen)
    fine_lit = _lit(shadows, camera, fine, fine_depth, fine_owner)

    flat = np.ones(len(centres), bool)
    flat[edges] = False
    flat = np.flatnonzero(flat)
    light = _radiance(
        world,
        camera,
        np.concatenate([centres.x[flat], fine.x]),
        np.concatenate([centres.y[flat], fine.y]),
        np.concatenate([depth[flat], fine_depth]),
        np.concatenate([owner[flat], fine_owner]),
        np.concatenate([lit[flat], fine_lit]),
    )
    # A single sample of a bright reflection must not outshine the rest of its pixel.
    light = np.minimum(light, np.float32(_BRIGHTEST))
    picture = np.empty((3, len(centres)), np.float32)
    picture[:, flat] = light[:, : len(flat)]
    picture[:, edges] = light[:, len(flat) :].reshape(3, -1, len(_ROTATED)).mean(axis=2)
    return depth, owner, np.moveaxis(picture, 0, -1).reshape(*shape, 3)


def _edges(values: np.ndarray) -> np.ndarray:
    """Pixels that differ from a neighbour above, below, left or right, bool (H·W,)."""
    edge = np.zeros(values.shape, bool)
    across = values[:, 1:] != values[:, :-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    down = values[1:] != values[:-1]
    edge[1:] |= down
    edge[:-1] |= down
    return edge.ravel()


def _lit(
    shadows: Shadows, camera: Camera, samples: Samples, depth: np.ndarray, owner: np.ndarray
) -> np.ndarray:
    """Share of the light that reaches each sample's surface, float32 (N,): 0 or 1."""
    lit = np.ones(len(samples), np.float32)
    found = np.flatnonzero(owner >= 0)
    points = camera.points(samples.x[found], samples.y[found], depth[found])
    lit[found[shadows.on(points, owner[found])]] = 0.0
    return lit


def _radiance(
    world: World,
    camera: Camera,
    x: np.ndarray,
    y: np.ndarray,
    depth: np.ndarray,
    owner: np.ndarray,
    lit: np.ndarray,
) -> np.ndarray:
    radiance = np.empty((3, len(x)), np.float32)
    solid = np.flatnonzero(owner >= 0)
    # Points of one primitive, and of one texture, next to each other. Small numbers sort quickly.
    rank = world.primitives.texture_rank.take(owner.take(solid))
    solid = solid.take(np.argsort(rank, kind='stable'))
    # Chunks that stay in the processor's cache.
    for i in range(0, len(solid), _CHUNK):
        part = solid[i : i + _CHUNK]
        surfaces = meet(camera, world.primitives, x[part], y[part], depth[part], owner[part])
        radiance[:, part] = surface_radiance(world, surfaces, lit[part])
    empty = np.flatnonzero(owner < 0)
    if empty.size:
        px, py = x[empty], y[empty]
        direction = camera.directions(px, py) / np.sqrt(1 + px * px + py * py)
        radiance[:, empty] = background(world, direction.astype(np.float32))
    return radiance
