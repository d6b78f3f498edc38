"""Values of command lines, refused with a sentence where they make no sense."""

from argparse import ArgumentTypeError

_LEAST_PIXELS = 32
"""What the coarsest level of an encoder needs for one pixel of its own."""


def count(text: str) -> int:
    """A whole number, 1 or more."""
    try:
        value = int(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is no whole number: give 1 or more") from None
    if value < 1:
        raise ArgumentTypeError(f'{value} is not positive: give 1 or more')
    return value


def seed(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"'{text}' is no seed: give a whole number, 0 or more")
    return int(text)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _number(text)
    if not 0 < value < float('inf'):
        raise ArgumentTypeError(f'{text} is not positive and finite: give a number above 0')
    return value


def seconds(text: str) -> float:
    """A finite time, 0 or more."""
    value = _number(text)
    if not 0 <= value < float('inf'):
        raise ArgumentTypeError(f'{text} is no time: give 0 seconds or more')
    return value


def image_size(text: str) -> tuple[int, int]:
    """(height, width) of HEIGHTxWIDTH, 32 pixels or more each."""
    height, _, width = text.partition('x')
    sides = [int(side) for side in (height, width) if side.isdecimal()]
    if len(sides) != 2 or min(sides) < _LEAST_PIXELS:
        raise ArgumentTypeError(
            f"'{text}' is not a size: give HEIGHTxWIDTH, such as 480x640, {_LEAST_PIXELS} pixels "
            'or more each'
        )
    return sides[0], sides[1]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is no number") from None
