"""What the README says against the code that it describes."""

from pathlib import Path

from emu_model.checkpoint import BUNDLED, read_info
from emuformer_ros.interface_docs import topic_row
from emuformer_ros.maps.outputs import MAP_TOPICS

README = (Path(__file__).parents[2] / 'README.md').read_text()


def test_the_readme_describes_topics_as_the_page_on_the_interface_does():
    rows = [line for line in README.splitlines() if line.startswith('| `~/')]

    assert len(rows) >= 4
    assert set(rows) <= {topic_row(topic) for topic in MAP_TOPICS}


def test_the_readme_has_the_figures_of_the_bundled_checkpoint():
    info = read_info(BUNDLED)
    semantic, depth = info.validation['semantic'], info.validation['depth']
    rows = (
        f'| mIoU of {len(info.class_names)} classes | {semantic["miou"]:.3f} |',
        f'| ECE | {semantic["ece"]:.3f} |',
        f'| depth RMSE | {depth["rmse"]:.2f} m |',
        f'| depth within a factor of 1.25 (δ1) | {depth["delta1"]:.3f} |',
    )
    assert set(rows) <= set(README.splitlines())
