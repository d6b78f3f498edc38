"""The groups of frames that the report shows pictures of."""

from collections.abc import Sequence
from dataclasses import dataclass

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.bag_evaluation.comparison import Comparison
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.bag_evaluation.gallery import FrameName, doubt, pick_extremes

_EXTREMES = 4
_CHANGED = 4


@dataclass(frozen=True)
class Group:
    """Frames with something in common.

    Attributes:
        title: What they have in common.
        note: What that means.
        frames: With a word on each.
        compared: Whether their maps are shown beside those of an earlier evaluation.
    """

    title: str
    note: str
    frames: tuple[tuple[FrameName, str], ...]
    compared: bool = False


def gallery_groups(
    rows: Sequence[Row], info: CheckpointInfo, comparison: Comparison | None = None
) -> list[Group]:
    """The groups of frames to look at.

    Args:
        rows: All frames.
        info: Of the checkpoint.
        comparison: Another evaluation, whose frames are compared with these.
    """
    if not rows:
        return []
    values = doubt(rows, info)
    level = 'what is normal for the model' if info.normal_uncertainty else 'that of most frames'

    def named(indices: Sequence[int]) -> tuple[tuple[FrameName, str], ...]:
        return tuple(((rows[i]['bag'], rows[i]['frame']), _doubt_text(rows[i])) for i in indices)

    count = min(_EXTREMES, max(len(rows) // 2, 1))
    groups = [
        Group(
            'Most uncertain frames',
            f'By the larger of both uncertainties, each relative to {level}.',
            named(pick_extremes(values, count, highest=True)),
        )
    ]
    if len(rows) > 1:
        groups.append(
            Group(
                'Most certain frames',
                'What the model is sure about here.',
                named(pick_extremes(values, count, highest=False)),
            )
        )
    changed = comparison.most_changed(rows, _CHANGED) if comparison else []
    if changed:
        frames = tuple((name, f'uncertainty × {factor:.2f}') for name, factor in changed)
        note = 'Uncertainty now by uncertainty before.'
        groups.insert(0, Group('Frames that changed most', note, frames, compared=True))
    return groups


def _doubt_text(row: Row) -> str:
    words = []
    if row.get('entropy_mean') is not None:
        words.append(f'entropy {row["entropy_mean"]:.3f} nats')
    if row.get('depth_std_mean') is not None:
        words.append(f'depth std {row["depth_std_mean"]:.2f} m')
    if row.get('pixel_accuracy') is not None:
        words.append(f'{100 * row["pixel_accuracy"]:.1f} % of pixels right')
    if row.get('rmse') is not None:
        words.append(f'RMSE {row["rmse"]:.2f} m')
    return ' · '.join(words)
