"""The Foxglove layout, which cannot be opened here: against its form and the node's topics.

As Foxglove exports them, layouts have panels by id, and a tree of where they are.
"""

import json
from collections.abc import Iterator

import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from emuformer_ros.maps.outputs import MAP_TOPICS
from emuformer_ros.share import share_file

PUBLISHED = {topic.name.replace('~', '/perception'): topic for topic in MAP_TOPICS}
CAMERA = {'/camera/image_raw': Image, '/camera/camera_info': CameraInfo}


@pytest.fixture
def layout() -> dict:
    return json.loads(share_file('config/perception.foxglove.json').read_text())


def test_the_parts_are_those_of_an_exported_layout(layout):
    assert set(layout) == {
        'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout',
    }  # fmt: skip
    kinds = {name.partition('!')[0] for name in layout['configById']}
    assert kinds == {'Image', '3D', 'DiagnosticSummary'}


def test_every_panel_is_placed_once(layout):
    assert sorted(places(layout['layout'])) == sorted(layout['configById'])


def test_image_panels_show_images_of_the_node_or_the_camera(layout):
    kinds = {**CAMERA, **{name: topic.message_type for name, topic in PUBLISHED.items()}}
    for name, panel in layout['configById'].items():
        if name.startswith('Image!'):
            mode = panel['imageMode']
            assert kinds[mode['imageTopic']] is Image
            assert kinds[mode.get('calibrationTopic', '/camera/camera_info')] is CameraInfo


def test_float_images_have_a_scale(layout):
    for name, panel in layout['configById'].items():
        if name.startswith('Image!'):
            mode = panel['imageMode']
            topic = PUBLISHED.get(mode['imageTopic'])
            assert ('colorMap' in mode) == (topic is not None and topic.encoding == '32FC1')
            assert mode.get('minValue', 0) < mode.get('maxValue', 1)


def test_the_points_are_there_and_off_until_they_are_wanted(layout):
    ((topic, settings),) = layout['configById']['3D!points']['topics'].items()

    assert PUBLISHED[topic].message_type is PointCloud2
    assert settings['visible'] is False


def places(node: dict | str) -> Iterator[str]:
    """The panels in a tree of splits."""
    if isinstance(node, str):
        yield node
        return
    assert node['direction'] in ('row', 'column')
    assert 0 < node['splitPercentage'] < 100
    yield from places(node['first'])
    yield from places(node['second'])
