"""docs/ros_interface.md against the node's tables, and against a node that runs."""

import re
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from frames import IMAGE_TOPIC, image_message, picture
from sensor_msgs.msg import Image

from emuformer_ros.interface_docs import main, update

PAGE = Path(__file__).parents[2] / 'docs' / 'ros_interface.md'
DEPTH = '/perception/depth/image'
ENTROPY = '/perception/semantic/uncertainty'
WITH_GPU = {('node', 'gpu_memory_mb')}
"""Diagnostics of a network that runs on a GPU; the node of the tests runs on the CPU."""


def test_the_tables_are_up_to_date():
    page = PAGE.read_text()

    assert update(page) == page, f'run python -m emuformer_ros.interface_docs {PAGE}'


def test_a_page_is_brought_up_to_date_in_place(tmp_path):
    page = PAGE.read_text()
    stale = re.sub(r'\| `(overlay_opacity|~/points)` .*\n', '', page)
    assert stale.count('\n') == page.count('\n') - 2
    file = tmp_path / 'page.md'
    file.write_text(stale)

    assert main([str(file)]) == 0
    assert file.read_text() == page


def test_help_says_what_the_page_is(capsys):
    with pytest.raises(SystemExit, match='0'):
        main(['--help'])

    assert 'docs/ros_interface.md' in capsys.readouterr().out


def test_a_page_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match="one table 'parameters'"):
        update('<!-- topics, generated --><!-- end of topics -->')


def documented(heading: str) -> str:
    """The part of the page under a heading."""
    return PAGE.read_text().partition(f'\n## {heading}\n')[2].partition('\n## ')[0]


def test_the_services_and_plain_topics_are_those_of_the_node(active_node, peer):
    text = documented('Services')
    named = {name.replace('~', '/perception') for name in re.findall(r'`([~/][\w/]+)`', text)}
    services = peer.node.get_service_names_and_types_by_node('perception', '/')
    topics = peer.node.get_publisher_names_and_types_by_node('perception', '/')
    described = set(re.findall(r'`(~/[\w/]+)`', documented('Topics'))) | {'/diagnostics'}
    maps = {name.replace('~', '/perception') for name in described}

    assert named == {name for name, _ in services} | {name for name, _ in topics} - maps


def described_diagnostics() -> set[tuple[str, str]]:
    """The kind of status and the key of every value in the page's table."""
    rows = re.findall(r'^\| (\w+) \| (`.*`) \| \S', documented('Diagnostics'), re.MULTILINE)
    described = [(kind, key) for kind, keys in rows for key in re.findall(r'`(\w+)`', keys)]
    assert len(described) == len(set(described))
    return set(described)


def test_every_diagnostic_is_described_and_every_description_is_of_one(node, peer, checkpoints):
    peer.configure_and_activate(
        checkpoint=str(checkpoints['SegDepthFormer']),
        # This checkpoint does not know what is normal.
        entropy_alarm_nats=5.0,
        depth_std_alarm_m=900.0,
    )
    messages: list[DiagnosticArray] = []
    subscription = peer.node.create_subscription(
        DiagnosticArray, '/diagnostics', messages.append, 10
    )
    try:
        images = peer.publisher(Image, IMAGE_TOPIC)
        maps = [peer.collect(Image, topic) for topic in (DEPTH, ENTROPY)]
        images.publish(image_message(picture()))
        peer.wait_for_messages(maps, 1, 'maps')
        messages.clear()
        peer.wait_for(lambda: len(messages) > 1, 'diagnostics after the frame')
    finally:
        peer.node.destroy_subscription(subscription)
    published = {
        (status.name.rpartition(': ')[2], item.key)
        for status in messages[-1].status
        for item in status.values
    }

    assert published == described_diagnostics() - WITH_GPU
