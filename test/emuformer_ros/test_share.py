import sysconfig
from pathlib import Path

import pytest

from emuformer_ros import share


def test_files_of_the_source_tree_are_found():
    path = share.share_file('config/perception.yaml')

    assert path.is_file()
    assert path.parts[-2:] == ('config', 'perception.yaml')


def test_a_missing_file_is_an_error_that_names_it_and_the_places():
    with pytest.raises(FileNotFoundError, match=r"no 'config/nothing.yaml' of emuformer_ros in /"):
        share.share_file('config/nothing.yaml')


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as if its modules lay in an empty site-packages."""
    monkeypatch.setattr(share, '__file__', str(tmp_path / 'site' / 'emuformer_ros' / 'share.py'))
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)

    def put(prefix: Path) -> Path:
        file = prefix / 'share' / 'emuformer_ros' / 'launch' / 'some.launch.py'
        file.parent.mkdir(parents=True)
        file.touch()
        return file

    return put


def test_files_that_pip_installed_are_found(installed, tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, 'get_path', lambda name: str(tmp_path / 'venv'))
    file = installed(tmp_path / 'venv')

    assert share.share_file('launch/some.launch.py') == file


def test_files_of_a_colcon_workspace_are_found_through_the_ament_index(
    installed, tmp_path, monkeypatch
):
    pytest.importorskip('ament_index_python')
    file = installed(tmp_path / 'install')
    marker = tmp_path / 'install/share/ament_index/resource_index/packages/emuformer_ros'
    marker.parent.mkdir(parents=True)
    marker.touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'install'))

    assert share.share_file('launch/some.launch.py') == file
