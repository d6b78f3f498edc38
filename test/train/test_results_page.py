"""docs/results.md against the code that writes its second half."""

from pathlib import Path

from train.reproduce import figures

PAGE = (Path(__file__).parents[2] / 'docs' / 'results.md').read_text()


def test_the_page_has_the_captions_that_the_command_writes():
    written = {
        f'![{caption}](results/figures/{name}.png)\n\n{caption}.'
        for name, (caption, _) in figures._FIGURES.items()
    }
    assert {words for words in written if words not in PAGE} == set()
