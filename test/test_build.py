"""The package as pip and colcon build it from a clean checkout, and what lands where."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from source_files import OWN, ROOT

PROGRAMS = ('evaluate_bag', 'perception_node')
COLCON = shutil.which('colcon', path=f'{ROOT / ".venv-colcon" / "bin"}{os.pathsep}{os.defpath}')


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, f'{done.stdout}\n{done.stderr}'
    return done.stdout


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of what git tracks, or would with `git add`: no build residue, no environment."""
    if not (ROOT / '.git').exists():
        pytest.skip('not a git checkout')
    listed = run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT)
    copy = tmp_path_factory.mktemp('workspace') / 'src' / 'emuformer_ros'
    for name in filter(None, listed.split('\0')):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


def shipped(checkout, *patterns):
    """The files of the checkout that match, relative to it."""
    return {
        str(path.relative_to(checkout))
        for p in patterns
        for path in checkout.glob(p)
        if path.is_file()
    }


def modules(checkout):
    return shipped(checkout, *(f'{package}/**/*.py' for package in OWN))


def data(checkout):
    return shipped(checkout, *(f'{package}/**/*.*' for package in OWN)) - modules(checkout)


def shared(checkout):
    return shipped(checkout, 'launch/*', 'config/*', 'package.xml')


def test_wheel_holds_all_code_data_and_shared_files(checkout, tmp_path):
    options = ['--quiet', '--no-deps', '--no-index', '--no-build-isolation', '--wheel-dir']
    run([sys.executable, '-m', 'pip', 'wheel', *options, tmp_path, checkout])
    [wheel] = tmp_path.glob('emuformer_ros-*.whl')
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [entry_points] = [name for name in names if name.endswith('/entry_points.txt')]
        lines = archive.read(entry_points).decode().split('\n')
    assert {f'{name} = emuformer_ros.{name}:main' for name in PROGRAMS} <= set(lines)
    assert modules(checkout) | data(checkout) <= names
    below_share = '.data/data/share/emuformer_ros/'
    in_share = {name.partition(below_share)[2] for name in names if below_share in name}
    assert in_share == shared(checkout)
    code = {name for name in names if name.endswith('.py') and '.data/' not in name}
    assert code == modules(checkout)


@pytest.fixture(scope='module')
def installed(checkout):
    """The prefix that `colcon build` installs the package into."""
    if COLCON is None:
        pytest.skip('colcon is not installed: make test puts it into .venv-colcon')
    workspace = checkout.parents[1]
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    output = run(
        [COLCON, 'build', '--event-handlers', 'console_direct+'], cwd=workspace, env=environment
    )
    assert 'Summary: 1 package finished' in output
    return workspace / 'install' / 'emuformer_ros'


def test_ros2_finds_the_executables_and_the_shared_files(checkout, installed):
    for program in PROGRAMS:
        assert os.access(installed / 'lib' / 'emuformer_ros' / program, os.X_OK)
    assert (installed / 'share/ament_index/resource_index/packages/emuformer_ros').is_file()
    share = installed / 'share' / 'emuformer_ros'
    assert {name for name in shared(checkout) if not (share / name).is_file()} == set()


def test_colcon_installs_all_code_and_data(checkout, installed):
    [site_packages] = installed.glob('lib/python3*/site-packages')
    wanted = modules(checkout) | data(checkout)
    assert {name for name in wanted if not (site_packages / name).is_file()} == set()


def test_recordings_are_evaluated_by_the_installed_executable(installed, tmp_path):
    """What `ros2 run emuformer_ros evaluate_bag` starts, without a sourced ROS 2."""
    program = installed / 'lib' / 'emuformer_ros' / 'evaluate_bag'
    command = 'source "$1/local_setup.bash" && exec "$2" "$3" absent --output results'
    done = subprocess.run(
        ['bash', '-c', command, 'bash', installed.parent, sys.executable, program],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "no recording at 'absent'" in done.stdout
    assert not list(tmp_path.iterdir())


def test_sourced_workspace_provides_the_package(installed, tmp_path):
    """The executables' entry points resolve, out of the install tree alone."""
    script = f"""
import emuformer_ros, emu_model
from importlib.metadata import entry_points
for program in {PROGRAMS}:
    [entry_point] = entry_points(group='console_scripts', name=program)
    assert callable(entry_point.load())
print(emu_model.__file__, emuformer_ros.__file__, sep='\\n')
"""
    command = 'source "$1/local_setup.bash" && exec "$2" -c "$3"'
    output = run(
        ['bash', '-c', command, 'bash', installed.parent, sys.executable, script], cwd=tmp_path
    )
    assert [installed in Path(line).parents for line in output.split()] == [True, True]
