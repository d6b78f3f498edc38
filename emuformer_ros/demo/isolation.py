"""A ROS 2 graph of the demo's own, so that it cannot meet a robot's topics."""

import os
import random
import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from emuformer_ros.demo import DemoError

_DOMAINS = range(215, 232)
"""Domain ids that people rarely choose and whose ports Linux does not give out by itself."""

_PARTICIPANTS = 10
"""How many participants of a domain are looked for; most processes have one."""

_OF_A_ROBOT = (
    'ROS_DISCOVERY_SERVER',
    'ROS_LOCALHOST_ONLY',
    'ROS_SECURITY_ENABLE',
    'ROS_SECURITY_ENCLAVE_OVERRIDE',
    'ROS_SECURITY_KEYSTORE',
    'ROS_SECURITY_STRATEGY',
    'ROS_STATIC_PEERS',
    'ROS_SUPER_CLIENT',
)
"""Variables that say where else to look for others, and whom to trust."""


def isolate(domain_id: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Have this process and its children talk ROS 2 with each other alone, on this machine.

    It must be done before the process starts its ROS 2 context.
    """
    for name in _OF_A_ROBOT:
        environment.pop(name, None)
    environment['ROS_DOMAIN_ID'] = str(domain_id)
    environment['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    # Iron and later only warn about this one, Humble knows no other.
    if environment.get('ROS_DISTRO') == 'humble':
        environment['ROS_LOCALHOST_ONLY'] = '1'


def log_environment(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to set so that ROS 2 writes its log files into a folder, which it makes.

    Else they go below the home directory, without which ROS 2 does not start.

    Returns:
        Nothing where the user has chosen a folder already.
    """
    if environment.get('ROS_LOG_DIR') or environment.get('ROS_HOME'):
        return {}
    return {'ROS_LOG_DIR': str(folder.absolute())}


def free_domain_id() -> int:
    """A domain id that no ROS 2 process on this machine uses.

    Raises:
        DemoError: If there is none.
    """
    candidates = random.sample(_DOMAINS, len(_DOMAINS))
    for domain_id in candidates:
        if _is_free(domain_id):
            return domain_id
    raise DemoError(
        f'no free ROS 2 domain from {_DOMAINS.start} to {_DOMAINS.stop - 1}: end some of the '
        'processes that use them, or choose a domain with --domain-id'
    )


def _is_free(domain_id: int) -> bool:
    # A participant listens on a UDP port of its domain and number, on every address (DDSI-RTPS
    # 2.2, section 9.6.1.1). It is the first of its process, or a later one.
    ports = (7410 + 250 * domain_id + 2 * participant for participant in range(_PARTICIPANTS))
    return all(_can_be_bound(port) for port in ports)


def _can_be_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', port))
        except OSError:
            return False
    return True
