"""The classes of the synthetic scenes: one joint set for street and indoor."""

from emu_model.labels import LabelSet

LABELS = LabelSet(
    name='synthetic',
    class_names=(
        'road',
        'sidewalk',
        'terrain',
        'building',
        'vegetation',
        'sky',
        'pole',
        'sign',
        'vehicle',
        'person',
        'floor',
        'wall',
        'ceiling',
        'opening',
        'furniture',
    ),
    palette=(
        (128, 92, 140),
        (232, 132, 208),
        (168, 210, 120),
        (122, 128, 142),
        (70, 140, 66),
        (112, 178, 224),
        (196, 190, 170),
        (244, 206, 60),
        (44, 92, 196),
        (222, 56, 76),
        (176, 130, 92),
        (214, 188, 148),
        (238, 236, 226),
        (86, 196, 196),
        (240, 140, 62),
    ),
)
"""`opening` is a door or window of a room; `furniture` includes what stands on it and hangs."""

THINGS = ('vehicle', 'person', 'furniture')
"""The classes whose objects carry an instance id."""
