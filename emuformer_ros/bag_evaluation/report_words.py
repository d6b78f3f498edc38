"""What the report says in words and single numbers."""

from dataclasses import dataclass
from typing import Any

NAMES = {'entropy': 'semantic', 'depth_std': 'depth'}

_MANY, _SOME = 0.5, 0.15
"""Shares of frames above the normal range that are called most and some; 0.05 is normal."""


@dataclass(frozen=True)
class Card:
    """A number with its name, unit and a word on it."""

    name: str
    value: str
    unit: str = ''
    note: str = ''


def sentence(value: float | None, digits: int = 3) -> str:
    """A number as people read it, a dash where there is none."""
    if value is None:
        return '–'
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f'{value:.{digits - 1}e}'
    return f'{value:.{digits}g}' if abs(value) < 100 else f'{value:,.0f}'


def verdict(summary: dict[str, Any]) -> str:
    """How sure the model is on the recordings, against what is normal for it, in a sentence."""
    shares = {
        NAMES[name]: values['above_normal']
        for name, values in summary['uncertainty'].items()
        if values['above_normal'] is not None
    }
    if not summary['frames']:
        return 'No frame could be used.'
    if not shares:
        return (
            'The checkpoint does not say what uncertainty is normal for it, so that the numbers '
            'here can only be compared with each other.'
        )
    kind, share = max(shares.items(), key=lambda item: item[1])
    percent = f'{100 * share:.0f} % of the frames'
    if share > _MANY:
        return (
            f'The model does not know this well: on {percent} its {kind} uncertainty is above '
            'what is normal for it (5 % on its own validation data).'
        )
    if share > _SOME:
        return (
            f'The model is unsure in places: on {percent} its {kind} uncertainty is above what is '
            'normal for it (5 % on its own validation data).'
        )
    return (
        f'The model is about as sure as on its own validation data: on {percent} its {kind} '
        'uncertainty is above what is normal for it (5 % there).'
    )


def figure_cards(summary: dict[str, Any]) -> list[Card]:
    """The numbers at the top of the page."""
    cards = [Card('Frames', f'{summary["frames"]:,}', '', _duration(summary))]
    for name, unit in (('entropy', 'nats'), ('depth_std', 'm')):
        if name in summary['uncertainty']:
            cards.append(_uncertainty_card(name, unit, summary['uncertainty'][name]))
    semantic, depth = summary['semantic'], summary['depth']
    if semantic:
        cards.append(
            Card('mIoU', sentence(semantic['miou']), '', f'ECE {sentence(semantic["ece"])}')
        )
    if depth:
        note = f'δ1 {sentence(depth["delta1"])}, AbsRel {sentence(depth["abs_rel"])}'
        cards.append(Card('Depth RMSE', sentence(depth['rmse']), 'm', note))
    if any(values['normal'] for values in summary['uncertainty'].values()):
        count = len(summary['alarms'])
        share = 100 * summary['frames_in_alarm'] / max(summary['frames'], 1)
        cards.append(Card('Alarms', str(count), '', f'{share:.0f} % of the frames'))
    speed = summary['inference_ms']
    cards.append(
        Card('Inference', sentence(speed['median']), 'ms', f'{speed["engine"]}, {speed["device"]}')
    )
    return cards


def _uncertainty_card(name: str, unit: str, values: dict[str, Any]) -> Card:
    note = 'mean over all pixels'
    if values['above_normal'] is not None:
        note = f'{100 * values["above_normal"]:.0f} % of frames above normal'
    title = f'{NAMES[name].capitalize()} uncertainty'
    return Card(title, sentence(values['mean']), unit, note)


def _duration(summary: dict[str, Any]) -> str:
    seconds = sum(bag['duration_s'] for bag in summary['bags'])
    if seconds < 120:
        return f'{seconds:.1f} s recorded'
    minutes = seconds / 60
    return f'{minutes:.0f} min recorded' if minutes < 120 else f'{minutes / 60:.1f} h recorded'
