import re

import pytest
import yaml

from emuformer_ros.parameters import PARAMETERS, Change, ParameterSpec
from emuformer_ros.share import share_file

NUMBER = ParameterSpec('rate', 10.0, 'How often.', Change.ANY_TIME, unit='Hz', limits=(0.5, 60.0))
COUNT = ParameterSpec('size', 4, 'How many.', Change.UNCONFIGURED, unit='pixels', limits=(1, 9))


def test_numbers_have_their_range_in_the_descriptor():
    floating, integer = NUMBER.descriptor(), COUNT.descriptor()

    assert floating.floating_point_range[0].from_value == 0.5
    assert floating.floating_point_range[0].to_value == 60.0
    assert integer.integer_range[0].from_value == 1
    assert integer.integer_range[0].to_value == 9
    assert floating.additional_constraints == 'Allowed: 0.5 to 60.0 Hz.'


def test_parameters_that_are_fixed_at_start_are_read_only():
    read_only = {name for name, spec in PARAMETERS.items() if spec.descriptor().read_only}

    assert read_only == {'autostart', 'diagnostics_period_s'}


@pytest.mark.parametrize('value', ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:12'])
def test_devices_are_accepted(value):
    assert PARAMETERS['device'].problem(value) == ''


@pytest.mark.parametrize('value', ['', 'gpu', 'cuda:', 'cuda:x', 'cuda:1 '])
def test_other_devices_are_refused_with_what_is_allowed(value):
    assert PARAMETERS['device'].problem(value) == (
        f"device cannot be '{value}': choose 'auto', 'cpu', 'cuda' or 'cuda:N' with N the number "
        'of a GPU'
    )


def test_a_choice_is_refused_with_the_choices():
    assert PARAMETERS['reliability'].problem('best') == (
        "reliability cannot be 'best': choose 'auto', 'reliable' or 'best_effort'"
    )


def test_a_list_without_elements_has_no_type_and_is_refused():
    assert PARAMETERS['cameras'].problem(None) == (
        'cameras has no value: give one, or leave it out for the default'
    )


def test_any_path_is_accepted_as_checkpoint():
    assert PARAMETERS['checkpoint'].problem('/some/where.safetensors') == ''


@pytest.mark.parametrize('spec', PARAMETERS.values(), ids=PARAMETERS)
def test_every_parameter_is_described_and_its_default_is_allowed(spec):
    assert spec.description.endswith('.')
    if spec.limits:
        assert spec.limits[0] <= spec.default <= spec.limits[1]
        assert spec.unit or spec.limits == (0.0, 1.0)
    else:
        assert spec.problem(spec.default) == ''


def test_the_packaged_yaml_has_every_parameter_with_its_default():
    packaged = yaml.safe_load(share_file('config/perception.yaml').read_text())

    assert packaged == {
        '/**': {'ros__parameters': {name: default_of(spec) for name, spec in PARAMETERS.items()}}
    }
    types = {name: type(value) for name, value in packaged['/**']['ros__parameters'].items()}
    assert types == {name: type(default_of(spec)) for name, spec in PARAMETERS.items()}


def default_of(spec: ParameterSpec):
    """The default as YAML has it."""
    return list(spec.default) if isinstance(spec.default, tuple) else spec.default


def comments() -> dict[str, str]:
    """The comment above each parameter of the packaged file; two may share one."""
    found, comment, complete = {}, [], True
    for line in share_file('config/perception.yaml').read_text().splitlines()[3:]:
        if line.strip().startswith('#'):
            comment = [line.strip(' #')] if complete else [*comment, line.strip(' #')]
            complete = False
        elif match := re.match(r' +(\w+):', line):
            found[match[1]] = ' '.join(comment)
            complete = True
    return found


@pytest.mark.parametrize('spec', PARAMETERS.values(), ids=PARAMETERS)
def test_the_packaged_yaml_says_unit_range_choices_and_when_a_parameter_can_change(spec):
    comment = comments()[spec.name]
    when = {
        Change.ANY_TIME: 'Any time.',
        Change.INACTIVE: 'Changed while not active.',
        Change.UNCONFIGURED: 'Changed while unconfigured.',
        Change.STARTUP: 'Set at start.',
    }

    assert comment.endswith(when[spec.change])
    assert spec.unit in ('', 's') or spec.unit in comment
    assert spec.unit != 's' or 'seconds' in comment
    assert not spec.limits or '{} to {}'.format(*spec.limits) in comment
    assert all(re.search(rf'\b{choice}\b', comment) for choice in spec.choices)
