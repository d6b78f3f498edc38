"""What the README says against the code that it describes."""

from pathlib import Path

from emu_model.checkpoint import BUNDLED, read_info
from emuformer_ros.interface_docs import parameter_row, topic_table
from emuformer_ros.parameters import PARAMETERS

README = (Path(__file__).parents[2] / 'README.md').read_text()


def rows_of(text: str, beginning: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(beginning)]


def test_the_readme_describes_the_topics_as_the_page_on_the_interface_does():
    assert rows_of(README, '| `~/') == rows_of(topic_table(), '| `~/')


def test_the_readme_describes_parameters_as_the_page_on_the_interface_does():
    table = README.partition('### Parameters')[2].partition('###')[0]
    rows = rows_of(table, '| `')

    assert len(rows) >= 5
    assert set(rows) <= {parameter_row(spec) for spec in PARAMETERS.values()}


def test_the_readme_has_the_figures_of_the_bundled_checkpoint():
    info = read_info(BUNDLED)
    semantic, depth = info.validation['semantic'], info.validation['depth']
    within = depth['coverage_1sigma'], depth['coverage_2sigma']
    rows = (
        f'| mIoU of {len(info.class_names)} classes | {semantic["miou"]:.3f} |',
        f'| pixel accuracy | {semantic["pixel_accuracy"]:.3f} |',
        f'| ECE | {semantic["ece"]:.3f} |',
        f'| depth RMSE | {depth["rmse"]:.2f} m |',
        f'| depth within a factor of 1.25 (δ1) | {depth["delta1"]:.3f} |',
        f'| AbsRel | {depth["abs_rel"]:.3f} |',
        f'| depth within 1σ, 2σ | {within[0]:.3f}, {within[1]:.3f} |',
    )
    assert set(rows) <= set(README.splitlines())
