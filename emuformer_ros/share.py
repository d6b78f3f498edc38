"""Where the package's launch and config files are, however it was installed."""

import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PACKAGE = 'emuformer_ros'


def share_file(relative: str) -> Path:
    """The installed launch or config file of this name.

    Args:
        relative: Path below the package's share directory, such as 'config/perception.yaml'.

    Raises:
        FileNotFoundError: If the file is in none of the places that an installation uses.
    """
    searched = list(_share_directories())
    for directory in searched:
        if (directory / relative).is_file():
            return directory / relative
    places = ', '.join(str(directory) for directory in searched)
    raise FileNotFoundError(
        f"no '{relative}' of {PACKAGE} in {places}: install the package again (colcon build, or "
        'pip install)'
    )


def _share_directories() -> Iterator[Path]:
    """A source tree, then a colcon workspace, then what pip installed."""
    yield Path(__file__).resolve().parents[1]
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

        yield Path(get_package_share_directory(PACKAGE))
    except (ImportError, PackageNotFoundError, LookupError, OSError):
        pass
    for prefix in (sysconfig.get_path('data'), site.getuserbase()):
        yield Path(prefix) / 'share' / PACKAGE
