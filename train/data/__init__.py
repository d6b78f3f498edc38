"""Data sets by name. PyTorch is imported with the first data set, not before."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.data.dataset import FrameDataset

DATASETS = {
    'cityscapes': ('train.data.cityscapes', 'CityscapesDataset'),
    'kitti': ('train.data.kitti', 'KITTIDataset'),
    'kitti_semantics': ('train.data.kitti', 'KITTISemanticsDataset'),
    'nyuv2': ('train.data.nyuv2', 'NYUv2Dataset'),
    'synthetic': ('train.data.synthetic', 'SyntheticDataset'),
}
"""Where each data set's class is."""


def build(
    name: str, root: str | Path | None = None, split: str = 'train', **options
) -> 'FrameDataset':
    """Open a data set.

    Args:
        name: One of DATASETS.
        root: Its folder, in the published layout (docs/datasets.md). Only 'synthetic' does
            without: it renders into the user's cache folder.
        split: 'train', 'validation' or 'test'. Where a data set publishes one set for evaluation,
            both of the latter are that one.
        **options: Of that data set's class; `instances` is one of those that have ids of objects.

    Raises:
        ValueError: If the name, the split or an option is unknown, or `root` is missing.
        train.data.dataset.DatasetError: If the files are not as published.
    """
    if name not in DATASETS:
        raise ValueError(f"no data set '{name}': choose of {', '.join(DATASETS)}")
    if root is None and name != 'synthetic':
        raise ValueError(
            f"data set '{name}' needs the folder its files are in: give --root DIR, in trainings "
            '--data.root DIR (docs/datasets.md shows the layout)'
        )
    dataset = dataset_class(name)
    if options.get('instances') and not dataset.things:
        raise ValueError(
            f"data set '{name}' has no ids of objects, which the instance task needs: train a "
            'network without that task, or on another data set (docs/datasets.md)'
        )
    try:
        return dataset(root, split, **options)
    except TypeError as error:
        raise ValueError(f"options of data set '{name}' cannot be used: {error}") from error


def dataset_class(name: str) -> type['FrameDataset']:
    """The class of one of DATASETS."""
    module, class_name = DATASETS[name]
    return getattr(importlib.import_module(module), class_name)
