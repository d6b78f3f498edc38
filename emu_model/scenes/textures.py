"""Procedural textures, evaluated on surfaces and averaged over the pixel where they are sharp.

Each texture reads the six numbers of Material.pattern as its docstring says, and the texture
coordinates a, b of Surfaces: metres from the corner of the face, b upwards on walls.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emu_model.scenes.materials import Texture
from emu_model.scenes.noise import fractal_noise, hash_unit
from emu_model.scenes.primitives import Primitives
from emu_model.scenes.runs import boundaries
from emu_model.scenes.surfaces import Surfaces


@dataclass
class Patch:
    """Points that share a texture; the textures change `colour`, `gloss` and `emission`.

    Attributes:
        a: First texture coordinate in metres, float32 (N,).
        b: Second texture coordinate, likewise.
        width_a: Extent of a pixel along a, float32 (N,).
        width_b: Extent of a pixel along b, float32 (N,).
        face: Own axis the surface faces, 0…2, int64 (N,).
        colour: Reflectance, float32 (3, N).
        accent: Second colour, float32 (3, N), or (3, 1) if all points share it.
        pattern: Parameters of the texture, float32 (6, N), or (6, 1) likewise.
        seed: uint32 (N,).
        gloss: Share of mirrored sky, float32 (N,).
        emission: Radiance the surface gives off, float32 (3, N).
        daylight: Brightness of what is seen through windows.
        lamplight: Brightness of lamps.
    """

    a: np.ndarray
    b: np.ndarray
    width_a: np.ndarray
    width_b: np.ndarray
    face: np.ndarray
    colour: np.ndarray
    accent: np.ndarray
    pattern: np.ndarray
    seed: np.ndarray
    gloss: np.ndarray
    emission: np.ndarray
    daylight: float
    lamplight: float

    def blend(self, colour: np.ndarray | tuple[float, ...], share: np.ndarray) -> None:
        """Covers this share of each pixel with another colour."""
        other = np.asarray(colour, np.float32).reshape(3, -1)
        self.colour += share * (other - self.colour)


def within(x: np.ndarray, low: np.ndarray, high: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Share of the pixel [x − width/2, x + width/2] that lies in [low, high]."""
    reach = 0.5 * np.maximum(width, 1e-5)
    inside = np.minimum(x + reach, high) - np.maximum(x - reach, low)
    return np.clip(inside / (2 * reach), 0, 1)


def repeated(x: np.ndarray, low: np.ndarray, high: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Share of the pixel that lies in [low, high] of any unit period, 0 ≤ low ≤ high ≤ 1."""
    reach = 0.5 * np.maximum(width, 1e-5)

    def integral(end: np.ndarray) -> np.ndarray:
        whole = np.floor(end)
        return whole * (high - low) + np.clip(end - whole - low, 0, high - low)

    return np.clip((integral(x + reach) - integral(x - reach)) / (2 * reach), 0, 1)


def _random(i: np.ndarray, j: np.ndarray, seed: np.ndarray) -> np.ndarray:
    return hash_unit(i.astype(np.int32), j.astype(np.int32), seed)


def _plain(patch: Patch) -> None:
    """One colour."""


def _cells(patch: Patch) -> None:
    """Pattern: cell width, cell height, shift of odd rows, joint, variation, hue variation."""
    width, height, shift, joint, variation, hue = patch.pattern
    v = patch.b / height
    row = np.floor(v)
    u = patch.a / width + shift * (row - 2 * np.floor(row / 2))
    column = np.floor(u)
    # Cells of less than a pixel look like their mean.
    visible = np.clip(1.5 - np.maximum(patch.width_a / width, patch.width_b / height), 0, 1)
    brightness = _random(column, row, patch.seed) - np.float32(0.5)
    patch.colour *= 1 + visible * variation * brightness
    if hue.any():
        for channel in range(3):
            own = _random(column, row, patch.seed + np.uint32(channel + 1)) - np.float32(0.5)
            patch.colour[channel] *= 1 + visible * hue * own
    gap_a, gap_b = 0.5 * joint / width, 0.5 * joint / height
    solid = repeated(u, gap_a, 1 - gap_a, patch.width_a / width)
    solid *= repeated(v, gap_b, 1 - gap_b, patch.width_b / height)
    patch.blend(patch.accent, 1 - solid)


def _facade(patch: Patch) -> None:
    """Pattern: bay width, storey height, window's share of each, ground floor height, lit share.

    Windows with frames on the walls; the ground floor has wider ones.
    """
    bay, storey, share_a, share_b, ground, lit = patch.pattern
    wall = patch.face < 2
    low = patch.b < ground
    v = np.where(low, patch.b / np.maximum(ground, 0.1), (patch.b - ground) / storey)
    width_v = patch.width_b / np.where(low, np.maximum(ground, 0.1), storey)
    u, width_u = patch.a / bay, patch.width_a / bay
    share_a = np.where(low, np.minimum(share_a * 1.35, 0.86), share_a)
    share_b = np.where(low, 0.72, share_b)
    column, row = np.floor(u), np.where(low, -1, np.floor(v))
    left, bottom = 0.5 - 0.5 * share_a, np.where(low, 0.08, 0.5 - 0.5 * share_b)

    def opening(margin: float) -> np.ndarray:
        in_a = repeated(u, left + margin / bay, 1 - left - margin / bay, width_u)
        top = bottom + share_b - margin / storey
        return wall * in_a * repeated(v, bottom + margin / storey, top, width_v)

    frame, glass = opening(0.0), opening(0.09)
    mullion = 1 - within(u - column, np.float32(0.488), np.float32(0.512), width_u)
    glass = glass * np.where(low, 1, mullion)
    patch.blend(patch.accent, frame)
    curtain = _random(column, row, patch.seed)
    shade = np.float32(0.02) + np.float32(0.25) * np.maximum(curtain - 0.55, 0)
    patch.blend(np.stack([shade, shade, shade * 1.05]), glass)
    patch.gloss += glass * (0.4 - 0.35 * (curtain > 0.75)) * (1 - patch.gloss)
    on = _random(column, row, patch.seed + np.uint32(7)) < lit
    glow = glass * on * np.float32(patch.lamplight)
    patch.emission += glow * np.array([[1.0], [0.72], [0.4]], np.float32)


def _lanes(patch: Patch) -> None:
    """Pattern: lane width, lanes per direction, dash period, solid centre, edge lines, wear.

    A road along a with its centre at b = 0; the accent is the paint.
    """
    lane, count, period, solid_centre, edges, wear = patch.pattern
    line = np.round(patch.b / lane)
    outer = np.abs(line) >= count
    line = np.where(np.abs(line) > count, np.sign(line) * count, line)
    beside = patch.b - line * lane
    paint = within(beside, np.float32(-0.07), np.float32(0.07), patch.width_b)
    dashed = (~outer) & ~((line == 0) & (solid_centre > 0))
    dash = repeated(patch.a / period, np.float32(0.0), np.float32(0.45), patch.width_a / period)
    paint *= np.where(dashed, dash, 1) * np.where(outer, edges, 1)
    old = fractal_noise(patch.a * 1.3, patch.b * 4, patch.width_a, patch.seed, 2)
    paint *= np.clip(1 - wear * (0.5 + 2 * old), 0, 1)
    # Wheels polish two tracks in every lane.
    across = patch.b / lane - np.floor(patch.b / lane)
    track = np.abs(np.abs(across - 0.5) - 0.25)
    patch.colour *= 1 + 0.25 * np.clip(1 - track * 7, 0, 1) * (np.abs(patch.b) < count * lane)
    patches = fractal_noise(patch.a * 0.11, patch.b * 0.3, patch.width_a * 0.1, patch.seed, 1)
    patch.colour *= 1 + 0.9 * patches
    patch.blend(patch.accent, paint)


def _stripes(patch: Patch) -> None:
    """Pattern: period, share of the accent, 1 for stripes along a instead of b."""
    period, share, along_a = patch.pattern[:3]
    position = np.where(along_a > 0, patch.b, patch.a) / period
    width = np.where(along_a > 0, patch.width_b, patch.width_a) / period
    patch.blend(patch.accent, repeated(position, np.float32(0.0), share, width))


def _foliage(patch: Patch) -> None:
    """Clumps of leaves: light ones of the accent, dark gaps. No parameters."""
    widest = np.maximum(patch.width_a, patch.width_b)
    leaves = fractal_noise(patch.a * 8, patch.b * 8, widest * 5, patch.seed, 3)
    patch.blend(patch.accent, np.clip(0.4 + 2.2 * leaves, 0, 1))
    patch.colour *= np.clip(1 + 3.0 * np.minimum(leaves + 0.08, 0), 0.15, 1)


def _sign(patch: Patch) -> None:
    """Pattern: width, height, symbol: 0 prohibition, 1 direction, 2 warning, 3 board."""
    width, height, symbol = patch.pattern[:3]
    x = 2 * patch.a / width - 1
    y = 2 * patch.b / height - 1
    size = 2 * np.maximum(patch.width_a / width, patch.width_b / height)
    radius = np.sqrt(x * x + y * y)
    diamond = np.abs(x) + np.abs(y)
    square = np.maximum(np.abs(x), np.abs(y))
    white = (0.8, 0.8, 0.78)
    one = np.float32(1.0)
    ring = 1 - within(radius, -one, one * np.float32(0.72), size)
    bar = within(y, one * np.float32(-0.16), one * np.float32(0.16), size)
    bar *= within(x, one * np.float32(-0.5), one * np.float32(0.5), size)
    base = patch.colour.copy()
    front = patch.face != 2
    kind = [symbol == k for k in range(4)]
    disc = np.where(kind[0], 1, 0)
    patch.blend(white, disc * (1 - ring))
    patch.blend((0.02, 0.02, 0.02), disc * bar)
    arrow = within(x, one * np.float32(-0.14), one * np.float32(0.14), size)
    arrow *= within(y, one * np.float32(-0.6), one * np.float32(0.5), size)
    head = within(np.abs(x) + 0.8 * (y - 0.1), -one, one * np.float32(0.5), size) * (y > 0.1)
    patch.blend(white, kind[1] * np.maximum(arrow, head))
    patch.blend((0.02, 0.02, 0.02), kind[2] * (1 - within(diamond, -one, one * 0.78, size)))
    patch.blend((0.02, 0.02, 0.02), kind[2] * bar)
    lines = repeated(y * 2, np.float32(0.3), np.float32(0.65), size * 2)
    text = _random(np.floor(x * 9), np.floor(y * 2), patch.seed) > 0.35
    panel = within(square, -one, one * np.float32(0.88), size)
    patch.blend(white, kind[3] * np.maximum(lines * text * panel, 1 - panel))
    patch.colour[:] = np.where(front | kind[0] | kind[1], patch.colour, base)


def _picture(patch: Patch) -> None:
    """Pattern: width, height, frame. Soft blobs of many colours within the frame."""
    width, height, frame = patch.pattern[:3]
    x, y = 3 * patch.a / width, 3 * patch.b / height
    for channel in range(3):
        seed = patch.seed + np.uint32(5 * channel)
        blobs = fractal_noise(x, y, 3 * patch.width_a / width, seed, 3)
        patch.colour[channel] = np.clip(patch.colour[channel] + 0.9 * blobs, 0.01, 0.9)
    inner = within(patch.a, frame, width - frame, patch.width_a)
    inner *= within(patch.b, frame, height - frame, patch.width_b)
    patch.blend(patch.accent, 1 - inner)


def _glazing(patch: Patch) -> None:
    """Pattern: width, height, panes across, panes upwards: a window seen from inside."""
    width, height, across, upwards = patch.pattern[:4]
    u, v = across * patch.a / width, upwards * patch.b / height
    bar_a, bar_b = 0.035 * across / width, 0.035 * upwards / height
    pane = repeated(u, bar_a, 1 - bar_a, patch.width_a * across / width)
    pane *= repeated(v, bar_b, 1 - bar_b, patch.width_b * upwards / height)
    pane *= patch.face < 2
    hills = fractal_noise(patch.a, patch.b * 0.3, patch.width_a, patch.seed, 3)
    above = np.clip(6 * (patch.b / height - 0.35 - 0.5 * hills), 0, 1)
    green = np.array([[0.16], [0.24], [0.1]], np.float32)
    sky = np.array([[1.2], [1.4], [1.7]], np.float32)
    patch.emission += pane * np.float32(patch.daylight) * (green + above * (sky - green))
    patch.blend((0.02, 0.02, 0.02), pane)
    patch.gloss += pane * 0.3


def _greenhouse(patch: Patch) -> None:
    """Pattern: length, height, number of windows: a vehicle's upper body with its glass."""
    length, height, windows = patch.pattern[:3]
    extent = np.where(patch.face == 1, length, patch.pattern[3])
    count = np.where(patch.face == 1, windows, 1)
    u, width_u = count * patch.a / extent, count * patch.width_a / extent
    edge = 0.05 * count / extent
    pane = repeated(u, edge, 1 - edge, width_u)
    pane *= within(patch.b, 0.12 * height, 0.84 * height, patch.width_b)
    pane *= patch.face < 2
    patch.blend((0.015, 0.018, 0.02), pane)
    patch.gloss += pane * np.float32(0.3)


def _checker(patch: Patch) -> None:
    """Pattern: cell size. Two colours in turn."""
    size = patch.pattern[0]
    u, v = 0.5 * patch.a / size, 0.5 * patch.b / size
    half = np.float32(0.5)
    first = repeated(u, np.float32(0.0), half, 0.5 * patch.width_a / size)
    second = repeated(v, np.float32(0.0), half, 0.5 * patch.width_b / size)
    patch.blend(patch.accent, first + second - 2 * first * second)


_DRAW: dict[Texture, Callable[[Patch], None]] = {
    Texture.PLAIN: _plain,
    Texture.CELLS: _cells,
    Texture.FACADE: _facade,
    Texture.LANES: _lanes,
    Texture.STRIPES: _stripes,
    Texture.FOLIAGE: _foliage,
    Texture.SIGN: _sign,
    Texture.PICTURE: _picture,
    Texture.GLAZING: _glazing,
    Texture.GREENHOUSE: _greenhouse,
    Texture.CHECKER: _checker,
}


def paint(
    surfaces: Surfaces, primitives: Primitives, daylight: float, lamplight: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evaluates the textures of surface points.

    Returns:
        Reflectance, float32 (3, N); gloss, float32 (N,); emitted radiance, float32 (3, N).
    """
    owner = surfaces.owner
    material = np.ascontiguousarray(primitives.material.T, np.float32)
    colour = owner.spread(material[1:4])
    gloss = owner.spread(material[14])
    emission = owner.spread(material[1:4] * (material[17] * np.float32(lamplight)))
    seed = owner.spread(material[13].astype(np.uint32)) + surfaces.face.astype(np.uint32)
    kind = material[0].take(owner.numbers)
    first = boundaries(kind)
    for begin, end in zip(first, [*first[1:], len(kind)]):
        points = slice(owner.starts[begin], owner.ends[end - 1])
        numbers = material[4:13].take(owner.numbers[begin:end], axis=1)
        if end - begin > 1:
            numbers = numbers.repeat(owner.lengths[begin:end], axis=1)
        patch = Patch(
            a=surfaces.a[points],
            b=surfaces.b[points],
            width_a=surfaces.width_a[points],
            width_b=surfaces.width_b[points],
            face=surfaces.face[points],
            colour=colour[:, points],
            accent=numbers[:3],
            pattern=numbers[3:],
            seed=seed[points],
            gloss=gloss[points],
            emission=emission[:, points],
            daylight=daylight,
            lamplight=lamplight,
        )
        _DRAW[Texture(kind[begin])](patch)
    grain, size = owner.spread(material[15:17])
    noise = fractal_noise(
        surfaces.a / size,
        surfaces.b / size,
        np.maximum(surfaces.width_a, surfaces.width_b) / size,
        seed,
    )
    colour *= np.clip(1 + 2 * grain * noise, 0.1, 2)
    return colour, gloss, emission
