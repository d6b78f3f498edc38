"""The parameters for Nav2, which cannot run here: against what the layer declares and the node."""

import pytest
import yaml
from sensor_msgs.msg import PointCloud2

from emu_model.checkpoint import BUNDLED, read_info
from emuformer_ros.maps.label_info import LABEL_INFO_TOPIC
from emuformer_ros.maps.outputs import MAP_TOPICS
from emuformer_ros.share import share_file

PUBLISHED = {topic.name.replace('~', '/perception'): topic for topic in MAP_TOPICS}

# What ros-navigation/semantic_segmentation_layer declares, as of May 2026.
LAYER = {
    'plugin': str, 'enabled': bool, 'combination_method': int, 'observation_sources': str,
    'publish_debug_topics': bool, 'use_approximate_time_sync': bool, 'sensor_data_depth': int,
}  # fmt: skip
SOURCE = {
    'segmentation_topic': str, 'confidence_topic': str, 'labels_topic': str,
    'pointcloud_topic': str, 'observation_persistence': float, 'expected_update_rate': float,
    'class_types': list, 'max_obstacle_distance': float, 'min_obstacle_distance': float,
    'tile_map_decay_time': float, 'visualize_tile_map': bool, 'use_cost_selection': bool,
    'camera_horizontal_fov': float, 'camera_vertical_fov': float, 'fov_decay_time': float,
    'outside_fov_decay_time': float, 'visualize_frustum_fov': bool,
}  # fmt: skip
CLASS_TYPE = {
    'classes': list, 'base_cost': int, 'max_cost': int, 'mark_confidence': int,
    'samples_to_max_cost': int, 'dominant_priority': bool,
}  # fmt: skip


@pytest.fixture
def layer() -> dict:
    file = yaml.safe_load(share_file('config/nav2_semantic_layer.yaml').read_text())
    costmap = file['local_costmap']['local_costmap']['ros__parameters']
    name, inflation = costmap['plugins']
    assert inflation == 'inflation_layer'
    return costmap[name]


@pytest.fixture
def source(layer: dict) -> dict:
    return layer[layer['observation_sources']]


def test_all_that_is_set_is_declared_and_of_its_type(layer, source):
    groups = [(layer, LAYER, [layer['observation_sources']])]
    groups.append((source, SOURCE, source['class_types']))
    groups += [(source[kind], CLASS_TYPE, []) for kind in source['class_types']]
    for values, declared, groups_in_it in groups:
        types = {name: type(values[name]) for name in values if name not in groups_in_it}
        assert types.items() <= declared.items()


def test_it_reads_topics_of_the_node_with_the_types_that_it_takes(source):
    masks = PUBLISHED[source['segmentation_topic']], PUBLISHED[source['confidence_topic']]
    assert [topic.encoding for topic in masks] == ['mono8', 'mono8']
    assert masks[0].needs == ('classes',)
    assert PUBLISHED[source['pointcloud_topic']].message_type is PointCloud2
    assert source['labels_topic'] == LABEL_INFO_TOPIC.replace('~', '/perception')


def test_each_class_of_the_packaged_checkpoint_has_one_cost(source):
    listed = [name for kind in source['class_types'] for name in source[kind]['classes']]

    assert sorted(listed) == sorted(read_info(BUNDLED).class_names)


def test_costs_are_those_of_a_costmap(source):
    for kind in source['class_types']:
        costs = source[kind]['base_cost'], source[kind]['max_cost']
        # 255 is unknown, 254 lethal.
        assert 0 <= costs[0] <= costs[1] <= 254
        assert 0 <= source[kind].get('mark_confidence', 0) <= 255
