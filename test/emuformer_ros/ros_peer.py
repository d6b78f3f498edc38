"""A ROS participant in the test process: publishes, subscribes and calls services."""

import collections
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.task import Future

from emuformer_ros.parameters import PARAMETERS, Change

DEADLINE_S = 120.0
"""Far beyond what anything here takes, on a busy machine too: who waits this long has failed."""

_ASK_AGAIN_S = 5.0

TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
    'active_shutdown': Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


class RosPeer:
    """A node that spins in the test's own thread, only ever while it waits for an event."""

    def __init__(self, context: rclpy.Context) -> None:
        self.node = rclpy.create_node('peer', context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._publishers: list[Publisher] = []
        self._subscriptions: list[Subscription] = []
        # Kept, because it takes a while until both ends of a service have found each other.
        self._clients: dict[str, Client] = {}
        self._statuses: collections.deque[dict[str, str]] = collections.deque(maxlen=100)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()

    def forget_topics(self) -> None:
        """End all publishers and subscriptions that a test has made."""
        for publisher in self._publishers:
            self.node.destroy_publisher(publisher)
        self._publishers = []
        self.end_subscriptions()

    def end_subscriptions(self) -> None:
        """End all subscriptions that a test has made."""
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions = []

    def end(self, publisher: Publisher) -> None:
        """End one publisher that a test has made."""
        self._publishers.remove(publisher)
        self.node.destroy_publisher(publisher)

    def wait_for(self, happened: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S):
        """Spin until something is true, and return it."""
        end = time.monotonic() + deadline_s
        while not (result := happened()):
            left = end - time.monotonic()
            assert left > 0, f'{what}: did not happen within {deadline_s} s'
            self._executor.spin_once(timeout_sec=min(left, 0.05))
        return result

    def wait_for_messages(self, lists: Iterable[list], count: int, what: str) -> None:
        """Spin until each list has so many messages."""
        self.wait_for(lambda: all(len(messages) >= count for messages in lists), what)

    def publisher(
        self,
        message_type: type,
        topic: str,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        matched: bool = True,
    ) -> Publisher:
        """A publisher to a node's camera topic; the node knows it, unless told not to wait.

        That the subscription is known here is not enough: until the node knows the publisher
        too, it does not hear it.
        """
        qos = QoSProfile(depth=10, reliability=reliability)
        publisher = self.node.create_publisher(message_type, topic, qos)
        self._publishers.append(publisher)
        if matched:
            self.wait_for(
                lambda: publisher.get_subscription_count() > 0, f'a subscription to {topic}'
            )
            count = str(sum(other.topic_name == topic for other in self._publishers))
            self.wait_for_status(
                lambda values: any(
                    values.get(f'{kind}_topic') == topic and values[f'{kind}_publishers'] == count
                    for kind in ('image', 'camera_info')
                ),
                f'a node that knows {count} publishers of {topic}',
            )
        return publisher

    def collect(
        self,
        message_type: type,
        topic: str,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        matched: bool = True,
    ) -> list:
        """The list that messages of one of a node's maps go to.

        The node knows of it, unless told not to wait.
        """
        messages: list = []
        qos = QoSProfile(depth=50, reliability=reliability)
        self._subscriptions.append(
            self.node.create_subscription(message_type, topic, messages.append, qos)
        )
        if matched:
            count = sum(other.topic_name == topic for other in self._subscriptions)
            known = f'{topic} ({count})'
            self.wait_for(lambda: self.node.count_publishers(topic), f'a publisher of {topic}')
            self.wait_for_status(
                lambda values: known in values.get('map_subscribers', '').split(', '),
                f'a node that knows {count} subscribers of {topic}',
            )
        return messages

    def call(self, service_type: type, name: str, request: Any, deadline_s: float = DEADLINE_S):
        """The response of a service, which is asked again where none comes.

        A node that has not discovered this one's client yet drops its response. A change of state
        is asked for once: it cannot be made twice.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(service_type, name)
        client = self._clients[name]
        self.wait_for(client.service_is_ready, f'service {name}', deadline_s)
        asked: list[Future] = []
        most = 1 if service_type is ChangeState else math.inf
        start = time.monotonic()

        def response() -> Any:
            due_s = start + len(asked) * _ASK_AGAIN_S
            if len(asked) < most and time.monotonic() >= due_s:
                asked.append(client.call_async(request))
            return next((future.result() for future in asked if future.done()), None)

        return self.wait_for(response, f'response of {name}', deadline_s)

    def transition(self, name: str, node: str = '/perception') -> bool:
        """Ask for a lifecycle transition; whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[name]
        return self.call(ChangeState, f'{node}/change_state', request).success

    def state(self, node: str = '/perception') -> str:
        """Lifecycle state of the node."""
        return self.call(GetState, f'{node}/get_state', GetState.Request()).current_state.label

    def set_parameter(
        self, name: str, value: Any, node: str = '/perception'
    ) -> SetParametersResult:
        """Set a parameter of the node."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.call(SetParameters, f'{node}/set_parameters', request).results[0]

    def parameters(self, node: str = '/perception') -> dict[str, Any]:
        """The parameters of the node that are its own and can be changed."""
        names = [n for n, spec in PARAMETERS.items() if spec.change is not Change.STARTUP]
        request = GetParameters.Request(names=names)
        values = self.call(GetParameters, f'{node}/get_parameters', request).values
        return dict(zip(names, map(parameter_value_to_python, values)))

    def configure_and_activate(self, **parameters) -> None:
        """Set parameters of the unconfigured node and bring it to active."""
        for name, value in parameters.items():
            result = self.set_parameter(name, value)
            assert result.successful, result.reason
        assert self.transition('configure')
        assert self.transition('activate')

    def diagnostics(self, node: str = 'perception', part: str = 'frames') -> 'Diagnostics':
        """What a node says of itself ('node') or of a camera ('frames', 'front frames')."""
        return Diagnostics(self, f'{node}: {part}')

    def wait_for_status(
        self, happened: Callable[[dict[str, str]], Any], what: str
    ) -> dict[str, str]:
        """The values of the first diagnostic status, from now on, that has something in it."""
        self._statuses.clear()

        def matching() -> dict[str, str] | None:
            while self._statuses:
                if happened(values := self._statuses.popleft()):
                    return values
            return None

        return self.wait_for(matching, what)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            values |= {'message': status.message, 'level': status.level, 'name': status.name}
            self._statuses.append(values)


class Diagnostics:
    """The diagnostics of one node, as they come in."""

    def __init__(self, peer: RosPeer, name: str) -> None:
        self._peer = peer
        self._name = name

    def wait_for(self, happened: Callable[[dict[str, str]], Any], what: str) -> dict[str, str]:
        """The values of the first status, from now on, that has something in it."""
        return self._peer.wait_for_status(
            lambda values: values['name'] == self._name and happened(values), what
        )

    def wait_for_value(self, key: str, value: object) -> dict[str, str]:
        """The values of the first status, from now on, that shows this value."""
        return self.wait_for(lambda values: values[key] == str(value), f'{key} = {value}')
