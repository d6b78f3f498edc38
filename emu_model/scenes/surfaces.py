"""Where rays meet surfaces: points, normals and texture coordinates."""

from dataclasses import dataclass

import numpy as np

from emu_model.scenes.camera import Camera
from emu_model.scenes.primitives import Primitives, Shape
from emu_model.scenes.runs import Runs
from emu_model.scenes.vectors import dot


@dataclass(frozen=True)
class Surfaces:
    """N surface points. Lengths are metres; textures are attached to the primitives.

    Attributes:
        owner: Primitive of each point.
        point: World coordinates, float64 (3, N).
        normal: Outward unit normal in the world, float32 (3, N).
        view: Unit direction from the camera to the point, float32 (3, N).
        distance: Distance from the camera, float32 (N,).
        face: Own axis that the surface faces most, int64 (N,); textures lie in the plane of the
            other two.
        a: First texture coordinate, float32 (N,): horizontal on a wall.
        b: Second texture coordinate, float32 (N,): vertical on a wall.
        width_a: Extent of a pixel along `a`, float32 (N,).
        width_b: Extent of a pixel along `b`, float32 (N,).
    """

    owner: Runs
    point: np.ndarray
    normal: np.ndarray
    view: np.ndarray
    distance: np.ndarray
    face: np.ndarray
    a: np.ndarray
    b: np.ndarray
    width_a: np.ndarray
    width_b: np.ndarray


def meet(
    camera: Camera,
    primitives: Primitives,
    x: np.ndarray,
    y: np.ndarray,
    depth: np.ndarray,
    owner: np.ndarray,
) -> Surfaces:
    """Surfaces at the end of rays.

    Args:
        camera: Where the rays start.
        primitives: What they meet.
        x: Ray direction to the right, optical frame with z = 1, float64 (N,).
        y: Ray direction downwards, likewise.
        depth: Depth of the points in metres, float64 (N,).
        owner: Primitive of each point, int64 (N,); fastest where equal ones are neighbours.
    """
    # Everything per primitive is made first and repeated per point; what needs the precision
    # of doubles is over once the point is known within its primitive.
    single = np.float32
    rotation = primitives.rotation
    turn = np.einsum('nij,kj->ikn', rotation, camera.axes)
    start = np.einsum('nij,nj->in', rotation, np.array(camera.position) - primitives.centre)
    runs = Runs.of(owner)
    turn = runs.spread(turn)
    ray = [t[0] * x + t[1] * y + t[2] for t in turn]
    local = [s + depth * r for s, r in zip(runs.spread(start), ray)]
    half = runs.spread(primitives.half.T)
    ratio = np.empty(half.shape, single)
    for i in range(3):
        ratio[i] = local[i] / half[i]
    shape = runs.spread(primitives.shape)
    face = _faces(ratio, shape)
    normal = _normals(ratio, half.astype(single), shape, face)

    origin = runs.spread(primitives.texture_origin.T)
    a, b = _in_plane([p + o for p, o in zip(local, origin)], face)

    # How far the point moves on the tangent plane when the ray moves by a pixel (Igehy 1999,
    # ray differentials).
    ray = [r.astype(single) for r in ray]
    stretch = np.sqrt(1.0 + x * x + y * y).astype(single)
    facing = dot(normal, ray)
    facing = np.minimum(facing, single(-0.02) * stretch)
    width_a = width_b = single(0.0)
    for k, focal in ((0, camera.intrinsics.fx), (1, camera.intrinsics.fy)):
        step = [turn[i][k].astype(single) for i in range(3)]
        share = dot(normal, step) / facing
        step = [s - share * r for s, r in zip(step, ray)]
        scale = (depth / focal).astype(single)
        step_a, step_b = _in_plane(step, face)
        width_a = width_a + np.abs(step_a) * scale
        width_b = width_b + np.abs(step_b) * scale

    to_world = runs.spread(rotation.astype(single).transpose(2, 1, 0))
    sight = camera.directions(x, y)
    return Surfaces(
        owner=runs,
        point=np.array(camera.position)[:, None] + depth * sight,
        normal=np.stack([dot(axis, normal) for axis in to_world]),
        view=sight.astype(single) / stretch,
        distance=depth.astype(single) * stretch,
        face=face,
        a=a.astype(single),
        b=b.astype(single),
        width_a=width_a,
        width_b=width_b,
    )


def _faces(ratio: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Own axis that each surface point faces most; cylinders have a side and two caps."""
    x, y, z = np.abs(ratio)
    flat = np.where(y > x, 1, 0)
    across = np.where(shape == Shape.CYLINDER, np.sqrt(x * x + y * y), np.maximum(x, y))
    return np.where(z > across, 2, flat)


def _in_plane(vectors: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two components (N,) of vectors (3, N) other than the one along `face`."""
    x, y, z = vectors
    return np.where(face == 0, y, x), np.where(face == 2, y, z)


def _normals(
    ratio: np.ndarray, half: np.ndarray, shape: np.ndarray, face: np.ndarray
) -> np.ndarray:
    normal = np.where(face == np.arange(3)[:, None], np.sign(ratio), np.float32(0))
    round_ones = (shape == Shape.ELLIPSOID) | ((shape == Shape.CYLINDER) & (face < 2))
    curved = np.flatnonzero(round_ones)
    if curved.size:
        gradient = ratio.take(curved, axis=1) / half.take(curved, axis=1)
        gradient[2, shape[curved] == Shape.CYLINDER] = 0.0
        normal[:, curved] = gradient / np.sqrt(dot(gradient, gradient))
    return normal
