"""Ends with code 0 once a lifecycle node is active, so that what waits for it can be started.

    python -m emuformer_ros.wait_until_active /perception

It asks again and again: a message about a transition can be missed by who comes to know the node
while it happens.
"""

import argparse
import sys
import time

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

_PERIOD_S = 0.5


def wait_until_active(node: Node, name: str) -> None:
    """Return once a lifecycle node is active.

    Args:
        node: Asks; nothing else spins it.
        name: Full name of the node that is asked.

    Raises:
        ExternalShutdownException: If ROS is shut down before.
    """
    client = node.create_client(GetState, f'{name}/get_state')
    while node.context.ok():
        if client.wait_for_service(_PERIOD_S):
            future = client.call_async(GetState.Request())
            rclpy.spin_until_future_complete(node, future, timeout_sec=_PERIOD_S)
            answer = future.result()
            if answer is not None and answer.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return
            time.sleep(_PERIOD_S)
    raise ExternalShutdownException


def main(arguments: list[str] | None = None) -> int:
    """Wait for the node that the command line names; 1 where a signal ends that."""
    parser = argparse.ArgumentParser(
        prog='python -m emuformer_ros.wait_until_active',
        description='Ends once a lifecycle node is active.',
    )
    parser.add_argument('node', help='its full name, such as /perception')
    name = parser.parse_args(arguments).node
    rclpy.init(args=[])
    try:
        wait_until_active(rclpy.create_node('wait_until_active'), name)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
