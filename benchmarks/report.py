"""The inference benchmark's results as a table and a figure."""

from pathlib import Path

_COLUMNS = ('', 'median ms', '10 to 90 %', 'faster than plain', 'encoders', 'peak MB')


def write_markdown(results: list, title: str, path: Path) -> None:
    """A Markdown table of the results."""
    lines = [title, '', ' | '.join(('', *_COLUMNS, '')).strip(), '|---' * len(_COLUMNS) + '|']
    for result in results:
        cells = (
            f'{result.name} ({result.precision})' if not result.engine else result.name,
            f'{result.median_ms:.1f}',
            f'{result.low_ms:.1f} to {result.high_ms:.1f}' if result.runs else '',
            f'{result.ratio_to_plain:.1f}x',
            f'{result.ratio_to_encoder:.2f}' if result.ratio_to_encoder else '',
            f'{result.peak_mb:.0f}' if result.peak_mb else '',
        )
        lines.append('| ' + ' | '.join(cells) + ' |')
    path.write_text('\n'.join(lines) + '\n')


def write_plot(results: list, title: str, path: Path) -> None:
    """Bars of the median times, the spread marked, on a logarithmic axis."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    ordered = sorted(results, key=lambda result: -result.median_ms)
    figure, axes = pyplot.subplots(figsize=(8, 0.32 * len(ordered) + 1.2))
    for position, result in enumerate(ordered):
        colour = '#1f77b4' if result.engine and 'plain' not in result.name else '#9aa5b1'
        if result.name == 'arithmetic floor':
            colour = '#d9a441'
        elif 'encoder alone' in result.name:
            colour = '#9ecae1'
        axes.barh(position, result.median_ms, color=colour)
        axes.plot([result.low_ms, result.high_ms], [position] * 2, color='black', linewidth=1)
        axes.text(
            1.06 * max(result.median_ms, result.high_ms),
            position,
            f'{result.median_ms:.0f} ms',
            va='center',
            fontsize=8,
        )
    labels = [
        f'{result.name} ({result.precision})' if result.name == 'arithmetic floor' else result.name
        for result in ordered
    ]
    axes.set_yticks(range(len(ordered)), labels, fontsize=8)
    axes.set_xscale('log')
    axes.set_xlim(right=3 * ordered[0].median_ms)
    axes.set_xlabel('milliseconds per frame, uint8 frame to maps')
    axes.set_title(title, fontsize=10)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, bbox_inches='tight', dpi=130)
    pyplot.close(figure)
