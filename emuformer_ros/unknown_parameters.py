"""Parameters that a node is started with and does not have."""

import difflib
from collections.abc import Collection, Iterable

from rclpy.node import Node

_DECLARED_LATER = 'qos_overrides.'
"""What the names of parameters begin with that rclpy declares with a topic."""


def warn_of_unknown_parameters(node: Node) -> None:
    """Name, in one warning, what a node is started with and has not declared: rclpy ignores it.

    Args:
        node: After it has declared its parameters.
    """
    # Of no public name; what launch files, parameter files and -p have for this very node.
    given = getattr(node, '_parameter_overrides', {})
    problem = unknown_parameters(given, node.get_parameters_by_prefix(''))
    if problem:
        node.get_logger().warning(problem)


def unknown_parameters(given: Iterable[str], declared: Collection[str]) -> str:
    """Which parameters there are none of, with what may be meant; empty where there are all.

    Args:
        given: Names of the parameters that the node is started with.
        declared: Names of those that it has.
    """
    unknown = [
        _guess(name, declared)
        for name in given
        if name not in declared and not name.startswith(_DECLARED_LATER)
    ]
    if not unknown:
        return ''
    return (
        f'ignored, because the node has no such parameter: {", ".join(unknown)}; '
        'config/perception.yaml lists those that it has'
    )


def _guess(name: str, declared: Collection[str]) -> str:
    closest = difflib.get_close_matches(name, declared, n=1)
    return f"'{name}' (is '{closest[0]}' meant?)" if closest else f"'{name}'"
