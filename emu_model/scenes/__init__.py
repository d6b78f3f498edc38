"""Synthetic street and indoor scenes with exact depth, classes, instances and stereo."""

from emu_model.geometry import Intrinsics
from emu_model.scenes.classes import LABELS, THINGS
from emu_model.scenes.frame import Frame
from emu_model.scenes.generate import KINDS, drive, render, stereo_pair
from emu_model.scenes.shifts import SHIFTS

__all__ = [
    'KINDS',
    'LABELS',
    'SHIFTS',
    'THINGS',
    'Frame',
    'Intrinsics',
    'drive',
    'render',
    'stereo_pair',
]
