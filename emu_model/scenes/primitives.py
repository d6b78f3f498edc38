"""Boxes, ellipsoids and cylinders: what every object of a scene is made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from struct import Struct

import numpy as np

from emu_model.scenes.classes import LABELS
from emu_model.scenes.materials import ROW_LENGTH, Material

Vector = tuple[float, float, float]


class Shape(IntEnum):
    """The unit shapes, each within [-1, 1]³; cylinders stand along z."""

    BOX = 0
    ELLIPSOID = 1
    CYLINDER = 2


_HEAD = 13
_PART, _LOOK = Struct(f'{_HEAD + 1}d'), Struct(f'{ROW_LENGTH}d')
_CLASS_IDS = {name: float(index) for index, name in enumerate(LABELS.class_names)}


@dataclass(frozen=True)
class Primitives:
    """N oriented primitives, one row of numbers each.

    Scenes are in metres, x along the street, y to the left, z up (REP 103).

    Attributes:
        rows: float64 (N, 13 + a material's numbers): shape, centre, half size, yaw, pitch, roll,
            class id, instance id, whether textures follow the world; then the material.
    """

    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def join(parts: Sequence['Primitives']) -> 'Primitives':
        """All primitives of several lists."""
        return Primitives(np.concatenate([part.rows for part in parts]))

    def select(self, which: np.ndarray) -> 'Primitives':
        """Those of an index or mask array."""
        return Primitives(self.rows[which])

    @cached_property
    def shape(self) -> np.ndarray:
        """Shape of each, int64 (N,)."""
        return self.rows[:, 0].astype(np.int64)

    @cached_property
    def centre(self) -> np.ndarray:
        """Centres in the world, float64 (N, 3)."""
        return self.rows[:, 1:4]

    @cached_property
    def half(self) -> np.ndarray:
        """Half sizes along the own axes, float64 (N, 3)."""
        return self.rows[:, 4:7]

    @cached_property
    def rotation(self) -> np.ndarray:
        """Rows are the own axes in the world: Rz(yaw)·Ry(pitch)·Rx(roll) transposed, (N, 3, 3)."""
        (cy, cp, cr), (sy, sp, sr) = np.cos(self.rows[:, 7:10].T), np.sin(self.rows[:, 7:10].T)
        axes = [
            [cy * cp, sy * cp, -sp],
            [cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, cp * sr],
            [cy * sp * cr + sy * sr, sy * sp * cr - cy * sr, cp * cr],
        ]
        return np.array(axes).transpose(2, 0, 1)

    @cached_property
    def to_unit(self) -> np.ndarray:
        """World directions to the unit shape's, float64 (N, 3, 3)."""
        return self.rotation / self.half[:, :, None]

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners of the bounding boxes in the world, float64 (N, 8, 3).

        Corner i lies at +1 along own axis k where bit k of i is set.
        """
        # Primitives last: NumPy is at its fastest along the longest axis.
        axes = (self.rotation * self.half[:, :, None]).transpose(1, 2, 0)
        signs = np.array([[1.0 if i >> k & 1 else -1.0 for k in range(3)] for i in range(8)])
        offsets = sum(signs[:, k, None, None] * axes[k] for k in range(3))
        return (self.centre.T + offsets).transpose(2, 0, 1)

    @cached_property
    def classes(self) -> np.ndarray:
        """Class ids, uint8 (N,)."""
        return self.rows[:, 10].astype(np.uint8)

    @cached_property
    def instances(self) -> np.ndarray:
        """Instance ids, uint16 (N,); 0 where the object is not a thing."""
        return self.rows[:, 11].astype(np.uint16)

    @cached_property
    def texture_origin(self) -> np.ndarray:
        """What is added to local coordinates to get texture coordinates, float64 (N, 3).

        The bottom corner is the origin, or the world's origin for ground that goes on beyond
        the primitive.
        """
        return np.where(self.rows[:, 12:13] > 0, self.centre, self.half)

    @cached_property
    def material(self) -> np.ndarray:
        """Numbers of the materials, float64 (N, numbers); their order is Material.row's."""
        return self.rows[:, _HEAD:]

    @cached_property
    def texture_rank(self) -> np.ndarray:
        """Place of each in a list sorted by texture, uint16 (N,)."""
        rank = np.empty(len(self), np.uint16)
        rank[np.argsort(self.material[:, 0], kind='stable')] = np.arange(len(self))
        return rank

    @cached_property
    def look(self) -> np.ndarray:
        """A number that primitives of the same class and material share, float64 (N,)."""
        weights = np.sqrt(2.0 + np.arange(ROW_LENGTH))
        return self.rows[:, 10] + (self.material * weights).sum(axis=1)


class Builder:
    """Collects primitives, object by object.

    `start` sets the object's frame, class and instance; the parts that follow are given in
    that frame: x ahead, y left, z up, metres and radians.
    """

    def __init__(self) -> None:
        self._parts = bytearray()
        # By identity: hashing a material takes longer than storing its numbers once more.
        self._materials: dict[int, tuple[int, Material]] = {}
        self.start('building')

    def start(
        self, label: str, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0
    ) -> None:
        """Begins an object without an instance id."""
        self._origin = (x, y, z, yaw, math.cos(yaw), math.sin(yaw))
        self.label(label)

    def start_thing(
        self, label: str | int, instance: int, x: float, y: float, z: float = 0.0, yaw: float = 0.0
    ) -> None:
        """Begins an object with an instance id; its class is a name, or 255 for unknown."""
        self._origin = (x, y, z, yaw, math.cos(yaw), math.sin(yaw))
        self._class = _CLASS_IDS[label] if isinstance(label, str) else float(label)
        self._instance = float(instance)

    def label(self, label: str) -> None:
        """Gives the parts that follow another class, and no instance id."""
        self._class = _CLASS_IDS[label]
        self._instance = 0.0

    def _add(
        self,
        shape: Shape,
        centre: Vector,
        size: Vector,
        material: Material,
        turn: Vector,
        in_world: bool,
    ) -> None:
        x, y, z, yaw, cosine, sine = self._origin
        self._parts += _PART.pack(
            shape,
            x + cosine * centre[0] - sine * centre[1],
            y + sine * centre[0] + cosine * centre[1],
            z + centre[2],
            0.5 * size[0],
            0.5 * size[1],
            0.5 * size[2],
            yaw + turn[0],
            turn[1],
            turn[2],
            self._class,
            self._instance,
            in_world,
            self._materials.setdefault(id(material), (len(self._materials), material))[0],
        )

    def box(
        self,
        centre: Vector,
        size: Vector,
        material: Material,
        *,
        turn: Vector = (0.0, 0.0, 0.0),
        in_world: bool = False,
    ) -> None:
        """Adds a box; `turn` is yaw, pitch (nose down) and roll of the part in its object."""
        self._add(Shape.BOX, centre, size, material, turn, in_world)

    def ellipsoid(
        self,
        centre: Vector,
        size: Vector,
        material: Material,
        *,
        turn: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        """Adds an ellipsoid of these three diameters."""
        self._add(Shape.ELLIPSOID, centre, size, material, turn, False)

    def cylinder(
        self,
        centre: Vector,
        size: Vector,
        material: Material,
        *,
        turn: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        """Adds a cylinder of these two diameters and this length along its z."""
        self._add(Shape.CYLINDER, centre, size, material, turn, False)

    def primitives(self) -> Primitives:
        """All parts so far."""
        heads = np.frombuffer(bytes(self._parts)).reshape(-1, _HEAD + 1)
        looks = b''.join(_LOOK.pack(*look.row()) for _, look in self._materials.values())
        materials = np.frombuffer(looks).reshape(-1, ROW_LENGTH)
        return Primitives(np.hstack([heads[:, :_HEAD], materials[heads[:, _HEAD].astype(int)]]))
