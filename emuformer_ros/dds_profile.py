"""Fast DDS settings that carry whole images to any subscriber on the same machine.

With Fast DDS's default transports, large best-effort images between processes are lost: the
shared-memory segment is smaller than one image.
"""

import os
from collections.abc import Mapping

from emuformer_ros.share import share_file

_PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Fast DDS 2 (Humble, Jazzy) reads the first, Fast DDS 3 (Kilted) the second."""

_CHOICES = (*_PROFILE_VARIABLES, 'FASTDDS_BUILTIN_TRANSPORTS')


def profile_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to set so that Fast DDS uses the packaged profile.

    They take effect in a process that sets them before `rclpy.init`. Other middlewares ignore
    them.

    Args:
        environment: The variables that are set.

    Returns:
        Nothing where the user has chosen a profile or transports already.

    Raises:
        FileNotFoundError: If the installation lacks the profile.
    """
    if any(environment.get(name) for name in _CHOICES):
        return {}
    profile = str(share_file('config/fastdds_profile.xml'))
    return dict.fromkeys(_PROFILE_VARIABLES, profile)
