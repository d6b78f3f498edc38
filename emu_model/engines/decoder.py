"""From feature maps to maps on the CPU, whatever runtime computes a strip."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from emu_model.engines.strips import Compile, HeadStrips, StripPool, TailStrips
from emu_model.folding import FoldedHead

_KEPT_TAILS = 8


class MapMaker:
    """Makes maps of raw outputs of one size.

    Args:
        raw_shapes: (h, channels, w) of each task's raw output.
        compile_strip: Makes workers of a strip's graph.
        pool: The threads to run on.
    """

    def __init__(
        self,
        raw_shapes: Mapping[str, tuple[int, int, int]],
        compile_strip: Compile,
        pool: StripPool,
    ) -> None:
        self._raw_shapes = dict(raw_shapes)
        self._compile = compile_strip
        self._pool = pool
        self._tail = lru_cache(_KEPT_TAILS)(self._make_tail)

    def tasks(self, outputs: tuple[str, ...], size: tuple[int, int]) -> tuple[str, ...]:
        """The tasks whose raw outputs these maps need."""
        return self._tail(outputs, size).tasks

    def run(
        self, raw: Mapping[str, np.ndarray], outputs: tuple[str, ...], size: tuple[int, int]
    ) -> dict[str, np.ndarray]:
        """The maps, each of `size`, of raw outputs float32 (h, channels, w)."""
        return self._tail(outputs, size).run(raw)

    def _make_tail(self, outputs: tuple[str, ...], size: tuple[int, int]) -> TailStrips:
        return TailStrips(self._raw_shapes, outputs, size, self._compile, self._pool)


class Decoder:
    """The folded heads and the maps, for features of one size.

    Args:
        heads: The folded heads by task.
        sizes: (h, w) of each level, finest first.
        compile_head: Makes workers of a head strip's graph.
        compile_tail: Makes workers of a tail strip's graph.
        pool: The threads to run on.
    """

    def __init__(
        self,
        heads: Mapping[str, FoldedHead],
        sizes: Sequence[tuple[int, int]],
        compile_head: Compile,
        compile_tail: Compile,
        pool: StripPool,
    ) -> None:
        height, width = sizes[0]
        self._coarse_levels = len(sizes) - 1
        self._heads = {
            task: HeadStrips(head, sizes, compile_head, pool) for task, head in heads.items()
        }
        raw_shapes = {
            task: (height, len(head.classifier_bias), width) for task, head in heads.items()
        }
        self._maps = MapMaker(raw_shapes, compile_tail, pool)

    def run(
        self,
        feature: np.ndarray,
        projections: Sequence[np.ndarray],
        outputs: tuple[str, ...],
        size: tuple[int, int],
    ) -> dict[str, np.ndarray]:
        """The maps of one frame, each of `size`.

        Args:
            feature: Finest feature map, float32 (h, w, C).
            projections: Those of the coarser levels, float32 (h_l, w_l, hidden), for each head in
                turn.
            outputs: Names of the maps.
            size: (height, width) of the maps.
        """
        needed = self._maps.tasks(outputs, size)
        raw = {}
        for index, (task, head) in enumerate(self._heads.items()):
            if task in needed:
                first = index * self._coarse_levels
                raw[task] = head.run(feature, projections[first : first + self._coarse_levels])
        return self._maps.run(raw, outputs, size)
