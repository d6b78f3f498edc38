"""NYUv2 as single image files, the layout that many segmentation toolboxes convert it to."""

from pathlib import Path

import numpy as np

from train.data.dataset import DatasetError, read_names
from train.data.image_files import read_map, read_rgb

_CLASSES = 40
_IMAGE_ENDINGS = ('.png', '.jpg')


class FolderSource:
    """image/NAME.png or .jpg, label40/NAME.png, depth/NAME.png, and names in train.txt, test.txt.

    Labels are 8 bit, 0 = unlabelled, 1…40; depth is 16 bit in millimetres, 0 = none.

    Args:
        root: Folder that holds them.
        split: 'train' or 'test'.

    Raises:
        DatasetError: If a file is missing.
    """

    def __init__(self, root: Path, split: str) -> None:
        self._root = root
        names = root / f'{split}.txt'
        self._names = read_names(names)
        self._images = [self._image(name) for name in self._names]
        for name in self._names:
            for kind in ('label40', 'depth'):
                if not self._map(kind, name).is_file():
                    raise DatasetError(
                        f"'{self._map(kind, name)}' is missing, and '{names}' lists it: each "
                        'frame needs image/, label40/ and depth/ files of its name'
                    )

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image uint8 (H, W, 3), labels uint8 (H, W), depth float32 (H, W) in metres."""
        name = self._names[index]
        image = read_rgb(self._images[index])
        size = image.shape[:2]
        labels = read_map(self._map('label40', name), np.uint8, size, 'labels')
        if labels.max() > _CLASSES:
            raise DatasetError(
                f"'{self._map('label40', name)}' has label {labels.max()}: labels are 0 for "
                f'unlabelled and 1…{_CLASSES}, map the classes first'
            )
        depth = read_map(self._map('depth', name), np.uint16, size, 'depths in millimetres')
        return image, labels, depth.astype(np.float32) / 1000

    def _image(self, name: str) -> Path:
        candidates = [self._root / 'image' / f'{name}{ending}' for ending in _IMAGE_ENDINGS]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise DatasetError(
            f"'{candidates[0]}' is missing, and no {_IMAGE_ENDINGS[1]} either: each name of "
            'train.txt and test.txt needs an image'
        )

    def _map(self, kind: str, name: str) -> Path:
        return self._root / kind / f'{name}.png'
