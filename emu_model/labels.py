"""Label sets: the names and colours of the semantic classes a network predicts."""

from dataclasses import dataclass

import numpy as np

UNLABELLED = 255
"""Class id of pixels without a label; losses and metrics leave them out."""

UNLABELLED_COLOUR = (0, 0, 0)


@dataclass(frozen=True)
class LabelSet:
    """The classes of a data set, in id order.

    Attributes:
        name: How configurations and error messages call the set.
        class_names: One name per class id.
        palette: One (red, green, blue) per class id, each 0…255.

    Raises:
        ValueError: If the palette does not match the names, or there are more than 255 classes.
    """

    name: str
    class_names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if len(self.class_names) != len(self.palette):
            raise ValueError(
                f"label set '{self.name}' has {len(self.class_names)} class names and "
                f'{len(self.palette)} colours: give one colour per class'
            )
        if len(self.class_names) > UNLABELLED:
            raise ValueError(
                f"label set '{self.name}' has {len(self.class_names)} classes; class maps are "
                f'uint8 with {UNLABELLED} for unlabelled, so {UNLABELLED} is the most'
            )

    def __len__(self) -> int:
        return len(self.class_names)

    def id(self, class_name: str) -> int:
        """Class id of a class name; ValueError names the known ones."""
        if class_name not in self.class_names:
            raise ValueError(
                f"label set '{self.name}' has no class '{class_name}', only "
                f'{", ".join(self.class_names)}'
            )
        return self.class_names.index(class_name)

    def colours(self) -> np.ndarray:
        """Colour table for every uint8 value, (256, 3) uint8; black where there is no class."""
        table = np.full((256, 3), UNLABELLED_COLOUR, np.uint8)
        table[: len(self)] = self.palette
        return table

    def colourise(self, classes: np.ndarray) -> np.ndarray:
        """Class ids (…) uint8 to RGB (…, 3) uint8."""
        return self.colours()[classes]


def numbered(count: int) -> LabelSet:
    """A label set for classes whose names are not known, in colours easy to tell apart."""
    hues = (np.arange(count) * 0.618034) % 1
    shade = 0.55 + 0.45 * ((np.arange(count) % 3) / 2)
    channels = np.abs((hues[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
    palette = np.rint(255 * shade[:, None] * (0.25 + 0.75 * channels.clip(0, 1))).astype(int)
    return LabelSet(
        'numbered',
        tuple(f'class {index}' for index in range(count)),
        tuple(tuple(colour) for colour in palette.tolist()),
    )


CITYSCAPES = LabelSet(
    'cityscapes',
    (
        'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign',
        'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train',
        'motorcycle', 'bicycle',
    ),
    (
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153),
        (153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152),
        (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100),
        (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
)  # fmt: skip
"""The 19 classes that Cityscapes evaluates, by train id."""

NYUV2_40 = LabelSet(
    'nyuv2_40',
    (
        'wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window',
        'bookshelf', 'picture', 'counter', 'blinds', 'desk', 'shelves', 'curtain', 'dresser',
        'pillow', 'mirror', 'floor mat', 'clothes', 'ceiling', 'books', 'refrigerator',
        'television', 'paper', 'towel', 'shower curtain', 'box', 'whiteboard', 'person',
        'night stand', 'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'otherstructure',
        'otherfurniture', 'otherprop',
    ),
    numbered(40).palette,
)  # fmt: skip
"""The 40 classes of Gupta et al. (2013) on NYUv2."""

LABEL_SETS = {labels.name: labels for labels in (CITYSCAPES, NYUV2_40)}
"""The published label sets, by name."""
