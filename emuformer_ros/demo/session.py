"""The demo's own end of the ROS 2 graph, and the node at the other end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from emuformer_ros.bags.maps import NODE_NAME
from emuformer_ros.demo import DemoError
from emuformer_ros.demo.node_process import NodeProcess

_ACTIVE_DEADLINE_S = 180.0
"""Loading and warming a large checkpoint on a slow machine."""

_FAILED_AFTER_S = 2.0
"""A node that starts by itself and still answers that it is unconfigured has failed to."""

_REPLY_DEADLINE_S = 5.0
_DIAGNOSTICS_DEADLINE_S = 10.0
_SPIN_S = 0.05


class Session:
    """A ROS 2 node and what it takes to run it; use it as a context manager.

    Raises:
        DemoError: If ROS 2 does not start.

    Attributes:
        node: The demo's node.
    """

    def __init__(self) -> None:
        self._context = rclpy.Context()
        try:
            # Ctrl-C must reach Python, which then ends the perception node in order.
            rclpy.init(
                args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO
            )
            self.node: Node = rclpy.create_node('emuformer_demo', context=self._context)
        except RuntimeError as error:  # RCLError
            raise DemoError(f'ROS 2 does not start: {error}') from error
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._runtime = Runtime()
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnosed, 10)

    def spin_until(
        self, condition: Callable[[], bool], timeout_s: float, process: NodeProcess
    ) -> bool:
        """Handle what arrives until a condition holds; whether it does before the time is up.

        Raises:
            DemoError: If the perception node ends.
        """
        deadline = time.monotonic() + timeout_s
        left = timeout_s
        while not condition():
            if left <= 0:
                return False
            self._executor.spin_once(min(left, _SPIN_S))
            process.require_alive()
            left = deadline - time.monotonic()
        return True

    def spin_for(self, duration_s: float, process: NodeProcess) -> None:
        """Handle what arrives for some time; DemoError if the perception node ends."""
        self.spin_until(lambda: False, duration_s, process)

    def wait_until_active(self, process: NodeProcess) -> None:
        """Wait until the perception node, which starts by itself, is active.

        Raises:
            DemoError: If it ends, fails to configure, or takes too long.
        """
        started = time.monotonic()
        unconfigured_since = None
        client = self.node.create_client(GetState, f'{NODE_NAME}/get_state')
        while time.monotonic() - started < _ACTIVE_DEADLINE_S:
            state = self._state(client, process)
            if state == State.PRIMARY_STATE_ACTIVE:
                return
            if state != State.PRIMARY_STATE_UNCONFIGURED:
                unconfigured_since = None
            elif unconfigured_since is None:
                unconfigured_since = time.monotonic()
            elif time.monotonic() - unconfigured_since > _FAILED_AFTER_S:
                raise process.failure('the perception node could not be configured')
        raise process.failure(f'the perception node was not active after {_ACTIVE_DEADLINE_S:g} s')

    def runtime(self, process: NodeProcess) -> 'Runtime':
        """What runs the network, as the node's diagnostics say.

        Raises:
            DemoError: If the node ends, or publishes no diagnostics.
        """
        if not self.spin_until(
            lambda: bool(self._runtime.engine), _DIAGNOSTICS_DEADLINE_S, process
        ):
            raise process.failure('the perception node did not name its engine on /diagnostics')
        return self._runtime

    def __enter__(self) -> 'Session':
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _state(self, client: Client, process: NodeProcess) -> int | None:
        if not self.spin_until(client.service_is_ready, _REPLY_DEADLINE_S, process):
            return None
        future = client.call_async(GetState.Request())
        # The node may be loading the checkpoint and answer late; then it is asked again.
        if not self.spin_until(future.done, _REPLY_DEADLINE_S, process):
            client.remove_pending_request(future)
            return None
        self.spin_for(_SPIN_S, process)
        return future.result().current_state.id

    def _diagnosed(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(f'{NODE_NAME.lstrip("/")}: node'):
                values = {pair.key: pair.value for pair in status.values}
                self._runtime = Runtime(
                    values.get('engine', ''), values.get('device', ''), values.get('precision', '')
                )


@dataclass(frozen=True)
class Runtime:
    """What runs the network.

    Attributes:
        engine: The runtime, such as 'torch'.
        device: Such as 'cpu' or 'cuda:0'.
        precision: Such as 'fp32'.
    """

    engine: str = ''
    device: str = ''
    precision: str = ''
