"""A table of figures, and how it is written."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of figures.

    Attributes:
        title: Its heading.
        key: Dotted key of the figure.
        digits: Digits after the point.
        unit: What figures are divided by before they are printed, 1e6 for millions.
    """

    title: str
    key: str
    digits: int = 3
    unit: float = 1.0

    def text(self, value: float | None, spread: float | None = None) -> str:
        """A cell; a dash where there is nothing."""
        if value is None:
            return '–'
        text = f'{value / self.unit:.{self.digits}f}'
        return text if spread is None else f'{text} ± {spread / self.unit:.{self.digits}f}'


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: What the figures are of.
        values: One for each column, averaged over seeds; None where there is none.
        spreads: Standard deviations over seeds; None for a single seed.
        from_paper: Whether it is the paper's, and not measured here.
    """

    label: str
    values: tuple[float | None, ...]
    spreads: tuple[float | None, ...]
    from_paper: bool = False


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        title: Its heading, with the number of the paper's table where it has one.
        columns: The columns after the first.
        rows: The rows.
        note: A sentence below it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ''

    def markdown(self) -> str:
        """The table as Markdown."""
        rows = [
            [
                row.label,
                *(
                    column.text(value, spread)
                    for column, value, spread in zip(self.columns, row.values, row.spreads)
                ),
            ]
            for row in self.rows
        ]
        heads = ['', *(column.title for column in self.columns)]
        return table_markdown(self.title, heads, rows, self.note)

    def to_json(self) -> dict:
        """The table's numbers."""
        return {
            'title': self.title,
            'columns': [column.key for column in self.columns],
            'rows': [
                {
                    'label': row.label,
                    'values': list(row.values),
                    'spreads': list(row.spreads),
                    'from_paper': row.from_paper,
                }
                for row in self.rows
            ],
        }


def table_markdown(
    title: str, heads: Iterable[str], rows: Iterable[Iterable[str]], note: str = ''
) -> str:
    """A table of cells as Markdown, under its heading, with a sentence below it."""
    heads = list(heads)
    lines = [f'### {title}', '', table_line(heads), table_line(['---'] * len(heads))]
    lines += map(table_line, rows)
    return '\n'.join([*lines, *(['', note] if note else [])])


def table_line(cells: Iterable[str]) -> str:
    """A line of a table in Markdown."""
    return '| ' + ' | '.join(cells) + ' |'
