"""The README's tables against the code that they describe."""

from pathlib import Path

import pytest

from emu_model.checkpoint import BUNDLED, read_info
from emuformer_ros.outputs import MAP_TOPICS
from emuformer_ros.parameters import PARAMETERS, Change, ParameterSpec

README = (Path(__file__).parents[2] / 'README.md').read_text()

WHEN = {
    Change.ANY_TIME: 'any time',
    Change.INACTIVE: 'while not active',
    Change.UNCONFIGURED: 'while unconfigured',
    Change.STARTUP: 'at start',
}


def parameter_row(spec: ParameterSpec) -> str:
    default = {'': "''", True: 'true', False: 'false'}.get(spec.default, spec.default)
    allowed = spec.allowed.replace("'", '')
    when = WHEN[spec.change]
    return f'| `{spec.name}` | {default} | {allowed} | {when} | {spec.description} |'


def topic_row(topic) -> str:
    encoding = f', {topic.encoding}' if topic.encoding else ''
    kind = f'sensor_msgs/{topic.message_type.__name__}{encoding}'
    return f'| `{topic.name}` | {kind} | {topic.description} |'


@pytest.mark.parametrize('spec', PARAMETERS.values(), ids=lambda spec: spec.name)
def test_the_readme_describes_each_parameter(spec):
    assert parameter_row(spec) in README.splitlines()


@pytest.mark.parametrize('topic', MAP_TOPICS, ids=lambda topic: topic.name)
def test_the_readme_describes_each_topic(topic):
    assert topic_row(topic) in README.splitlines()


def test_the_readme_describes_nothing_that_is_not_there():
    rows = [line for line in README.splitlines() if line.startswith(('| `~/', '| `'))]
    described = {parameter_row(spec) for spec in PARAMETERS.values()}
    described |= {topic_row(topic) for topic in MAP_TOPICS}
    named = {row.split('`')[1] for row in rows if row not in described}
    assert named <= {'emu_model', 'emuformer_ros', 'train', '/diagnostics'}


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
