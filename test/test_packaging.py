"""What pip and rosdep are told: versions, dependencies and the lock agree with one another."""

import os
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from xml.etree import ElementTree

import pytest
import setuptools  # noqa: F401  (before distutils, which it provides)
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_files import OWN, ROOT, imports, python_files

PYTHONS = ('3.10', '3.11', '3.12', '3.13', '3.14')
# Imports whose distribution on PyPI is called otherwise.
DISTRIBUTION = {
    'PIL': 'pillow',
    'cv2': 'opencv-python-headless',
    'distutils': 'setuptools',  # which brings it to Pythons that have none
    'ruamel': 'ruamel.yaml',
    'sklearn': 'scikit-learn',
    'triton': 'torch',  # which brings it where there can be a GPU
    'yaml': 'pyyaml',
}

# What a robot has and PyPI has not; the code goes without.
NOT_ON_PYPI = {'cv_bridge', 'launch', 'launch_ros', 'ros2launch', 'rosbag2', 'vision_msgs'}

# The distributions that rosdep's Python packages are.
BY_ROSDEP = {
    'python3-jinja2': 'jinja2',
    'python3-matplotlib': 'matplotlib',
    'python3-numpy': 'numpy',
    'python3-opencv': 'opencv-python-headless',
    'python3-pil': 'pillow',
    'python3-rich': 'rich',
}

NOT_LOCKED = {'ros-kilted'}  # the lock has Jazzy's wheels, which exclude Kilted's


@pytest.fixture(scope='module')
def metadata():
    """What setup.py declares."""
    from distutils.core import run_setup

    before = Path.cwd()
    os.chdir(ROOT)
    try:
        return run_setup('setup.py', stop_after='init')
    finally:
        os.chdir(before)


@pytest.fixture(scope='module')
def manifest():
    """package.xml."""
    return ElementTree.parse(ROOT / 'package.xml').getroot()


@pytest.fixture(scope='module')
def pins():
    """The lines of constraints.txt."""
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def requirements(metadata, extras):
    lists = [metadata.install_requires, *(metadata.extras_require[extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines]


def test_ros_and_pip_metadata_agree(metadata, manifest):
    assert manifest.findtext('name') == metadata.get_name()
    assert manifest.findtext('version') == metadata.get_version()
    assert manifest.findtext('license') == metadata.get_license()
    assert manifest.find('maintainer').text == metadata.get_maintainer()
    assert manifest.find('maintainer').get('email') == metadata.get_maintainer_email()


def test_manifest_asks_for_an_ament_python_build(manifest):
    assert manifest.get('format') == '3'
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert (ROOT / manifest.find('license').get('file')).is_file()


def test_no_dependency_is_declared_twice(manifest):
    names = [element.text for element in manifest if element.tag.endswith('depend')]
    assert len(names) == len(set(names))


def test_every_package_with_code_is_installed(metadata):
    missing = [
        str(path.relative_to(ROOT))
        for top in ('emu_model', 'emuformer_ros', 'train')
        for path in (ROOT / top).rglob('*.py')
        if '.'.join(path.parent.relative_to(ROOT).parts) not in metadata.packages
    ]
    assert not missing, 'the folder of these files lacks an __init__.py'


@pytest.mark.parametrize(
    ('folder', 'extras'),
    [
        ('emu_model', ['torch', 'openvino', 'onnx', 'optics']),
        ('emuformer_ros', ['ray']),
        ('launch', []),
        ('train', ['train']),
        ('test', ['torch', 'openvino', 'onnx', 'ray', 'train', 'test']),
    ],
)
def test_every_import_is_a_declared_dependency(metadata, manifest, folder, extras):
    local = {path.stem for path in python_files('test')}
    imported = {name for path in python_files(folder) for name in imports(path)}
    foreign = imported - sys.stdlib_module_names - set(OWN) - local
    from_pip = {canonicalize_name(entry.name) for entry in requirements(metadata, extras)}
    from_ros = {element.text for element in manifest.iter('exec_depend')}
    undeclared = {
        name
        for name in foreign
        if canonicalize_name(DISTRIBUTION.get(name, name)) not in from_pip and name not in from_ros
    }
    assert undeclared == set()


def test_ros_packages_of_the_manifest_have_wheels_in_the_extra(metadata, manifest):
    wanted = {
        f'ros-{canonicalize_name(element.text)}'
        for element in manifest.iter('exec_depend')
        if element.text not in NOT_ON_PYPI and not element.text.startswith('python3-')
    }
    offered = {Requirement(line).name for line in metadata.extras_require['ros-jazzy']}
    assert offered == wanted


def with_dependencies(names):
    """The distributions, and all that they need as they are installed here."""
    found, left = set(), set(map(canonicalize_name, names))
    while left:
        name = left.pop()
        found.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        applicable = [
            need for need in needed if not need.marker or need.marker.evaluate({'extra': ''})
        ]
        left |= {canonicalize_name(need.name) for need in applicable} - found
    return found


def test_the_readme_has_pip_install_what_rosdep_does_not_bring(metadata, manifest):
    readme = (ROOT / 'README.md').read_text()
    [line] = re.findall(r'^ +\.venv/bin/pip install (.*)$', readme, re.MULTILINE)
    by_pip = with_dependencies(Requirement(argument).name for argument in shlex.split(line))
    by_rosdep = {BY_ROSDEP.get(element.text) for element in manifest.iter('exec_depend')}
    wanted = {
        canonicalize_name(entry.name) for entry in requirements(metadata, ['torch', 'openvino'])
    }
    assert wanted - by_pip - by_rosdep == set()


def test_every_dependency_has_a_lower_bound(metadata):
    unbounded = [
        str(requirement)
        for requirement in requirements(metadata, metadata.extras_require)
        if not any(bound.operator in ('>=', '~=') for bound in requirement.specifier)
    ]
    assert unbounded == []


def test_both_ros_distributions_offer_the_same_packages(metadata):
    jazzy, kilted = (
        {requirement.name for requirement in map(Requirement, metadata.extras_require[extra])}
        for extra in ('ros-jazzy', 'ros-kilted')
    )
    assert jazzy == kilted


def test_lock_names_versions_alone(pins):
    """No path, address or index, so that it holds on any machine."""
    plain = re.compile(r'[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^;@]+)?')
    assert [pin for pin in pins if not plain.fullmatch(pin)] == []


@pytest.mark.parametrize('python', PYTHONS)
def test_lock_pins_every_dependency_within_its_bounds(metadata, pins, python):
    environment = default_environment() | {
        'python_version': python,
        'python_full_version': f'{python}.0',
        'sys_platform': 'linux',
        'platform_machine': 'x86_64',
    }
    pinned = {}
    for pin in map(Requirement, pins):
        if pin.marker is None or pin.marker.evaluate(environment):
            assert pin.name not in pinned, f'two versions for Python {python}'
            [bound] = pin.specifier
            pinned[canonicalize_name(pin.name)] = bound.version
    outside = {
        str(requirement): pinned.get(canonicalize_name(requirement.name))
        for requirement in requirements(metadata, metadata.extras_require.keys() - NOT_LOCKED)
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), '0'), prereleases=True
        )
    }
    assert outside == {}, 'run make lock'
