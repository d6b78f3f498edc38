"""Requests that rclpy ends the process over, answered with a refusal instead."""

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter

_TYPES = {each.value for each in Parameter.Type}


def refuse_impossible_transitions(node: LifecycleNode) -> None:
    """Have a node refuse a transition that its state does not have."""

    def guarded(change_state: Callable) -> Callable:
        def answer(request: ChangeState.Request, response: ChangeState.Response):
            try:
                return change_state(request, response)
            except RuntimeError as error:  # RCLError
                if not node.context.ok():
                    raise
                node.get_logger().error(f'no such transition: {error}')
                response.success = False
                return response

        return answer

    _guard(node, 'change_state', guarded)


def refuse_impossible_values(node: Node) -> None:
    """Have a node refuse parameter values of a type that there is none of."""

    def guarded(set_parameters: Callable) -> Callable:
        def answer(
            request: SetParameters.Request | SetParametersAtomically.Request,
            response: SetParameters.Response | SetParametersAtomically.Response,
        ):
            names = [each.name for each in request.parameters if each.value.type not in _TYPES]
            if not names:
                return set_parameters(request, response)
            reason = f'{", ".join(names)}: the value is of no type that parameters have'
            node.get_logger().error(f'no parameter is set: {reason}')
            refusal = SetParametersResult(successful=False, reason=reason)
            if isinstance(response, SetParameters.Response):
                response.results = [refusal] * len(request.parameters)
            else:
                response.result = refusal
            return response

        return answer

    _guard(node, 'set_parameters', guarded)
    _guard(node, 'set_parameters_atomically', guarded)


def _guard(node: Node, name: str, guarded: Callable[[Callable], Any]) -> None:
    """Put something around the callback of one of a node's own services."""
    service = next(each for each in node.services if each.srv_name.endswith(f'/{name}'))
    service.callback = guarded(service.callback)
