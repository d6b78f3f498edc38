"""Two networks against each other, figure by figure, on the same test frames."""

from train.reproduce.claims import CONFIDENCE, difference_interval
from train.reproduce.evaluations import Result
from train.reproduce.table import Column

NOTE = (
    f'In brackets the {100 * CONFIDENCE:.0f} % interval over resampled test frames, the same for '
    'both networks'
)
"""What a table of differences says of them; the beginning of a sentence."""


def difference(result: Result, reference: Result, column: Column) -> str:
    """A figure of a network less that of another one, and its interval, as a cell of a table.

    A dash where one of them lacks the figure.
    """
    both = (result, reference)
    values = [each.figure(column.key) for each in both]
    drawn = [each.resampled.get(column.key) for each in both]
    if any(each is None for each in (*values, *drawn)):
        return '–'
    interval = difference_interval(*([each] for each in drawn), paired=True)
    numbers = (values[0] - values[1], *interval)
    shown = (f'{number / column.unit:+.{column.digits}f}' for number in numbers)
    return '{} [{}, {}]'.format(*shown)
