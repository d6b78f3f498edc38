"""Sets of synthetic scenes, named by everything their frames depend on. Needs no PyTorch."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emu_model import geometry, scenes

FIRST_SEEDS = {
    'train': 0,
    'validation': 10_000_000,
    'test': 20_000_000,
    'pretrain': 30_000_000,
}
"""Each split's scenes have seeds of their own, the next ten million from here."""

MOST_FRAMES = 10_000_000
"""Frames of a split."""

# A scene is entered at a time of its own, spread evenly over the time that a drive lasts.
_DRIVE_S = 60.0
_GOLDEN_RATIO = 0.6180339887498949


@dataclass(frozen=True)
class SceneSet:
    """Which scenes a folder holds; the same parameters always mean the same frames.

    Attributes:
        split: One of FIRST_SEEDS.
        height: In pixels.
        width: In pixels.
        kinds: Of emu_model.scenes.KINDS; frames alternate between them.
        shift: One of emu_model.scenes.SHIFTS, or None for scenes as trained on.
        shift_strength: How far it is shifted.
        focal_length_px: Focal length of all frames; None for the scenes' own, which varies.
        eye: Which camera of the stereo pair, 'left' or 'right'.
    """

    split: str
    height: int
    width: int
    kinds: tuple[str, ...] = ('street', 'indoor')
    shift: str | None = None
    shift_strength: float = 1.0
    focal_length_px: float | None = None
    eye: str = 'left'

    def __post_init__(self) -> None:
        if self.split not in FIRST_SEEDS:
            raise ValueError(
                f"synthetic scenes have no split '{self.split}': choose of "
                f'{", ".join(FIRST_SEEDS)}'
            )
        unknown = [kind for kind in self.kinds if kind not in scenes.KINDS]
        if unknown or not self.kinds:
            raise ValueError(
                f'kinds of scenes {self.kinds} are not of {", ".join(scenes.KINDS)}: give one or '
                'more of them'
            )
        if self.shift is not None and self.shift not in scenes.SHIFTS:
            raise ValueError(
                f"no shift '{self.shift}': choose of {', '.join(scenes.SHIFTS)}, or none"
            )

    def render(self, index: int) -> scenes.Frame:
        """Frame `index` of the set."""
        seed = FIRST_SEEDS[self.split] + index
        return scenes.render(
            self.kinds[index % len(self.kinds)],
            seed,
            self.height,
            self.width,
            time_s=_DRIVE_S * (seed * _GOLDEN_RATIO % 1.0),
            eye=self.eye,
            shift=self.shift,
            shift_strength=self.shift_strength,
            focal_length_px=self.focal_length_px,
        )

    def description(self) -> dict:
        """Everything the frames depend on, the source of the generator included."""
        return {
            'split': self.split,
            'first_seed': FIRST_SEEDS[self.split],
            'height': self.height,
            'width': self.width,
            'kinds': list(self.kinds),
            'shift': self.shift,
            'shift_strength': None if self.shift is None else float(self.shift_strength),
            'focal_length_px': self.focal_length_px and float(self.focal_length_px),
            'eye': self.eye,
            'generator': generator_hash(),
        }

    def folder_name(self) -> str:
        """A name that tells sets, and versions of the generator, apart."""
        parts = [self.split, '+'.join(self.kinds), f'{self.height}x{self.width}']
        if self.eye != 'left':
            parts.append(self.eye)
        if self.shift is not None:
            parts.append(f'{self.shift}_{self.shift_strength:g}')
        digest = hashlib.sha256(json.dumps(self.description(), sort_keys=True).encode())
        return '-'.join([*parts, digest.hexdigest()[:12]])


@lru_cache(maxsize=1)
def generator_hash() -> str:
    """Hash of the source that frames come from, so that those of another version are not used."""
    package = Path(scenes.__file__).parent
    # What draws contact sheets has no part in the frames.
    files = [file for file in package.rglob('*.py') if file.name != '__main__.py']
    digest = hashlib.sha256()
    for file in [*sorted(files), Path(geometry.__file__), Path(__file__)]:
        digest.update(file.name.encode() + b'\0' + file.read_bytes() + b'\0')
    return digest.hexdigest()
