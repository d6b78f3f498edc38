"""Stereo pairs with pseudo depth, its confidence, and class ids, as training takes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from emu_model.labels import UNLABELLED
from emu_model.warping import View
from train.data.dataset import FrameDataset
from train.data.sample import Sample
from train.stereo.label_files import PseudoLabels, label_path, read_labels
from train.stereo.labelling import missing
from train.stereo.pairs import PairSource, StereoPair
from train.stereo.sample import StereoSample


class PseudoLabelledPairs(FrameDataset):
    """Pairs with the labels that train.pseudo_labels has made of them.

    Class ids are the published ones where there are some. Depth out of the data set's range counts
    as none, and so does the depth of pixels without disparity.

    Args:
        source: The pairs.
        folder: Their pseudo labels.

    Raises:
        ValueError: If a pair has no labels.
    """

    def __init__(self, source: PairSource, folder: Path) -> None:
        self.name = source.name
        self.labels = source.labels
        self.depth_range_m = source.depth_range_m
        self._source = source
        self._folder = folder
        without = missing(source, folder)
        if without:
            raise ValueError(
                f"'{label_path(folder, source.key(without[0]))}' is missing, as are the pseudo "
                f'labels of {len(without) - 1} other of {len(source)} pairs: make them with '
                f'python -m train.pseudo_labels --data {source.name} --output {folder}, with the '
                'options that the pairs are trained with'
            )

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> StereoSample:
        pair = self._source.read(index)
        path = label_path(self._folder, self._source.key(index))
        labels = read_labels(path, pair.left.shape[:2])
        left = self._view('left', pair, labels, index)
        right = self._view('right', pair, labels, index)
        shifted = replace(pair.intrinsics, cx=pair.intrinsics.cx + pair.doffs_px)
        return StereoSample.of(left, replace(right, intrinsics=shifted), pair.baseline_m)

    def _view(self, view: View, pair: StereoPair, labels: PseudoLabels, index: int) -> Sample:
        image = pair.image(view)
        classes = pair.classes.get(view, labels.classes.get(view))
        if classes is None:
            classes = np.full(image.shape[:2], UNLABELLED, np.uint8)
        depth = self._depth(pair, labels.disparities[view])
        return Sample(
            image=image,
            classes=classes,
            depth=depth,
            not_padding=np.ones(depth.shape, bool),
            intrinsics=pair.intrinsics,
            index=index,
            confidence=np.where(depth > 0, labels.confidences[view], np.float32(0)),
        )

    def _depth(self, pair: StereoPair, disparity: np.ndarray) -> np.ndarray:
        """f·B/(d + doffs) in metres, float32 (H, W); 0 where there is none in range."""
        shift = np.nan_to_num(disparity + np.float32(pair.doffs_px), nan=0)
        focal_baseline = np.float32(pair.intrinsics.fx * pair.baseline_m)
        depth = np.zeros(shift.shape, np.float32)
        np.divide(focal_baseline, shift, out=depth, where=shift > 0)
        nearest, farthest = self.depth_range_m
        return np.where((depth >= nearest) & (depth <= farthest), depth, np.float32(0))
