"""With which code a ROS process ends: by a signal, by an error, or because ROS does not start."""

import pytest

DOES_NOT_START = [
    ({'ROS_DOMAIN_ID': 'abc'}, 'ROS_DOMAIN_ID'),
    (
        {
            'ROS_SECURITY_ENABLE': 'true',
            'ROS_SECURITY_STRATEGY': 'Enforce',
            'ROS_SECURITY_KEYSTORE': '/nowhere',
        },
        '/nowhere',
    ),
    ({'ROS_LOG_DIR': '/dev/null/logs'}, '/dev/null/logs'),
]

PROGRAM = """
import os, signal, sys
import rclpy
from emuformer_ros.interruption import run_until_interrupted

def run():
    print('ROS runs')
    {body}

sys.exit(run_until_interrupted(run, None))
"""
SHUTS_DOWN = """node = rclpy.create_node('early')
    rclpy.shutdown()
    node.create_guard_condition(print)
"""
IS_INTERRUPTED = """node = rclpy.create_node('early')
    os.kill(os.getpid(), signal.SIGTERM)
    while rclpy.ok():
        pass
"""


def ending(start_node, body):
    """Exit code and output of a process that runs something until it is interrupted."""
    process = start_node(program=('-c', PROGRAM.format(body=body)))
    return process.wait(), process.log


@pytest.mark.parametrize(('variables', 'reason'), DOES_NOT_START)
def test_ros_that_does_not_start_is_an_error_and_says_why(
    variables, reason, start_node, monkeypatch
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, output = ending(start_node, 'return 0')
    assert code == 1
    assert 'ROS 2 does not start: ' in output
    assert reason in output
    assert 'ROS runs' not in output
    assert 'Traceback' not in output


def test_an_error_after_a_shutdown_that_no_signal_made_is_an_error(start_node):
    code, output = ending(start_node, SHUTS_DOWN)
    assert code == 1
    assert 'ROS runs' in output
    assert 'Traceback' in output


@pytest.mark.parametrize(
    'error',
    ['rclpy.create_node("late")', 'node.create_guard_condition(print)'],
)
def test_what_fails_because_a_signal_has_come_is_no_error(error, start_node):
    code, output = ending(start_node, f'{IS_INTERRUPTED}    {error}')
    assert (code, output) == (0, 'ROS runs\n')
