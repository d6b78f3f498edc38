"""What the node makes of an engine that cannot be freed, and of one that does not answer."""

import re
import signal
from pathlib import Path

import pytest
from frames import image_message, picture
from sensor_msgs.msg import Image

OK, ERROR = b'\x00', b'\x02'


@pytest.fixture
def start(start_active):
    """Starts an active node of some script, under a name."""

    def start_script(script: str, name: str):
        return start_active(name, 'SegFormer', program=(str(Path(__file__).with_name(script)),))

    return start_script


def test_an_engine_that_cannot_be_freed_keeps_the_node_from_nothing(start, peer):
    node = start('failing_engine_node.py', 'unfreed')
    peer.diagnostics('unfreed', 'node').wait_for_value('state', 'active')
    for transition in ('deactivate', 'cleanup'):
        assert peer.transition(transition, '/unfreed')
    assert peer.state('/unfreed') == 'unconfigured'
    problem = (
        'cannot free the engine: an illegal memory access was encountered; if the node cannot'
    )
    assert problem in node.log

    for transition in ('configure', 'activate'):
        assert peer.transition(transition, '/unfreed')
    values = peer.diagnostics('unfreed', 'node').wait_for_value('state', 'active')
    assert values['level'] == OK
    assert node.stop() == 0
    assert node.log.count(problem) == 2
    assert 'Traceback' not in node.log


def seconds(values: dict[str, str]) -> int:
    """How long the engine has not answered, as the status has it."""
    return int(re.match(r'the node has been at the same images for (\d+) s', values['message'])[1])


@pytest.fixture
def hanging(start, peer):
    """A node with an engine that does not answer, the diagnostics that say so, and its maps."""
    node = start('hanging_engine_node.py', 'hanging')
    camera = peer.publisher(Image, '/hanging/image_raw')
    maps = peer.collect(Image, '/hanging/semantic/image')
    status = peer.diagnostics('hanging', 'node')
    camera.publish(image_message(picture()))
    status.wait_for(lambda values: values['level'] == ERROR, 'an error')
    assert maps == []
    return node, status, maps


def test_an_engine_that_does_not_answer_is_an_error_until_it_does(hanging, peer):
    node, status, maps = hanging
    values = status.wait_for_value('state', 'active')
    first_s = seconds(values)
    assert 'end the process and start it again' in values['message']
    status.wait_for(lambda values: seconds(values) > first_s, 'a second more')
    assert 'the node has been at the same images' in node.log

    node.send(signal.SIGUSR1)
    peer.wait_for_messages([maps], 1, 'the map')
    status.wait_for(lambda values: values['level'] == OK, 'the end of the error')
    assert node.stop() == 0


def test_a_node_that_cannot_be_deactivated_goes_on(hanging, peer):
    node, status, maps = hanging
    assert not peer.transition('deactivate', '/hanging')
    assert peer.state('/hanging') == 'active'
    assert 'cannot deactivate: the node has been at the same images for' in node.log

    node.send(signal.SIGUSR1)
    peer.wait_for_messages([maps], 1, 'the map')
    status.wait_for(lambda values: values['level'] == OK, 'the end of the error')
    peer.publisher(Image, '/hanging/image_raw').publish(image_message(picture(), 2))
    peer.wait_for_messages([maps], 2, 'the map of another image')
    assert peer.transition('deactivate', '/hanging')
    assert peer.state('/hanging') == 'inactive'
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_a_signal_ends_a_node_whose_engine_does_not_answer(hanging):
    node, _, _ = hanging
    assert node.stop(signal.SIGTERM) == 1
    assert 'the engine does not answer: the process ends without it' in node.log
    assert 'Traceback' not in node.log


def test_the_lifecycle_ends_with_an_engine_that_does_not_answer(hanging, peer):
    node, status, maps = hanging
    assert peer.transition('active_shutdown', '/hanging')
    assert peer.state('/hanging') == 'finalized'
    assert status.wait_for_value('state', 'finalized')['level'] == ERROR
    node.send(signal.SIGUSR1)
    peer.wait_for_messages([maps], 1, 'the map of the image that it was at')
    status.wait_for(lambda values: values['level'] == OK, 'the end of the error')

    peer.publisher(Image, '/hanging/image_raw').publish(image_message(picture(), 2))
    peer.diagnostics('hanging').wait_for_value('frames_dropped', 1)
    assert len(maps) == 1
    assert node.stop() == 0
    assert 'Traceback' not in node.log
