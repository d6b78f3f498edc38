"""What the pages and the commands' help refer to is there."""

import re

import pytest
from source_files import ROOT, python_files

PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])
CONFIGURATION = re.compile(r'train/configs/[\w/]+\.yaml')


def anchors(page):
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in headings}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        path, _, anchor = link.partition('#')
        target = page.parent / path if path else page
        if link.startswith(('http://', 'https://')):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_configurations_that_are_named_exist():
    """NAME is for any of a folder."""
    named = {
        name
        for file in [*PAGES, *python_files('train')]
        for name in CONFIGURATION.findall(file.read_text())
    }
    own = {'train/configs/data/robot.yaml'}  # the reader's, in the example of a data set
    assert len(named) > len(own)
    assert {name for name in named - own if not any(ROOT.glob(name.replace('NAME', '*')))} == set()
