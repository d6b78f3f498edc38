"""The launch file without a ROS installation: read, not run. Where launch_ros is, it is run."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ros_peer import RosPeer
from sensor_msgs.msg import Image

from emuformer_ros.outputs import MAP_TOPICS
from emuformer_ros.parameters import PARAMETERS
from emuformer_ros.share import share_file

LAUNCH_FILE = share_file('launch/perception.launch.py')


@pytest.fixture(scope='module')
def tree() -> ast.Module:
    return ast.parse(LAUNCH_FILE.read_text())


def constant(tree: ast.Module, name: str):
    """The value of a constant of the launch file."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f'{LAUNCH_FILE.name} has no constant {name}')


def calls(tree: ast.Module, function: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == function
    ]


def test_arguments_named_like_parameters_are_parameters_of_the_node(tree):
    assert set(constant(tree, 'PARAMETER_ARGUMENTS')) <= set(PARAMETERS)


def test_every_argument_has_a_description_and_a_default(tree):
    declarations = calls(tree, 'DeclareLaunchArgument')
    keywords = [{keyword.arg for keyword in call.keywords} for call in declarations]

    assert all(names == {'default_value', 'description'} for names in keywords)
    named = {call.args[0].value for call in declarations if isinstance(call.args[0], ast.Constant)}
    assert named == {'image', 'camera_info', 'namespace', 'params_file', 'use_sim_time', 'rviz'}


def test_every_file_that_the_launch_file_uses_is_installed(tree):
    used = [call.args[0].value for call in calls(tree, 'share_file')]

    assert set(used) == {'config/perception.yaml', 'config/perception.rviz'}
    assert all(share_file(name).is_file() for name in used)


def test_the_node_is_started_by_its_executable_and_name(tree):
    keywords = {
        keyword.arg: keyword.value.value
        for keyword in calls(tree, 'LifecycleNode')[0].keywords
        if isinstance(keyword.value, ast.Constant)
    }

    assert keywords['package'] == 'emuformer_ros'
    assert keywords['executable'] == 'perception_node'
    assert keywords['name'] == 'perception'


@pytest.fixture(scope='module')
def rviz() -> dict:
    return yaml.safe_load(share_file('config/perception.rviz').read_text())


def displayed(rviz: dict) -> dict[str, dict]:
    displays = rviz['Visualization Manager']['Displays']
    return {display['Topic']['Value']: display for display in displays}


def test_rviz_shows_the_camera_and_four_maps_with_the_types_that_they_have(rviz):
    published = {
        topic.name.replace('~', '/perception'): topic.message_type for topic in MAP_TOPICS
    }
    topics = set(displayed(rviz)) - {'/camera/image_raw'}

    assert topics == {
        '/perception/semantic/overlay',
        '/perception/semantic/uncertainty',
        '/perception/depth/image',
        '/perception/depth/uncertainty',
    }
    assert all(published[topic] is Image for topic in topics)


def test_rviz_displays_are_images_with_the_properties_of_that_display(rviz):
    for display in displayed(rviz).values():
        assert display['Class'] == 'rviz_default_plugins/Image'
        assert set(display) == {
            'Class', 'Enabled', 'Max Value', 'Median window', 'Min Value', 'Name',
            'Normalize Range', 'Topic', 'Value',
        }  # fmt: skip
        assert set(display['Topic']) == {
            'Depth', 'Durability Policy', 'History Policy', 'Reliability Policy', 'Value',
        }  # fmt: skip
        assert display['Enabled'] is True


def test_rviz_subscribes_to_the_maps_reliably_and_to_any_camera(rviz):
    policies = {
        topic: display['Topic']['Reliability Policy'] for topic, display in displayed(rviz).items()
    }

    assert policies.pop('/camera/image_raw') == 'Best Effort'
    assert set(policies.values()) == {'Reliable'}


def test_rviz_is_remapped_to_every_topic_that_it_shows(tree, rviz):
    remapped = {f'/perception/{topic}' for topic in constant(tree, 'RVIZ_TOPICS')}

    assert remapped == set(displayed(rviz)) - {'/camera/image_raw'}


@pytest.fixture
def ament_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix with what launch looks for: the package's marker and the node's executable."""
    marker = tmp_path / 'share/ament_index/resource_index/packages/emuformer_ros'
    executable = tmp_path / 'lib/emuformer_ros/perception_node'
    for file in (marker, executable):
        file.parent.mkdir(parents=True)
        file.touch()
    executable.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m emuformer_ros.perception_node "$@"\n'
    )
    executable.chmod(0o755)
    others = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join(filter(None, [str(tmp_path), others])))
    return tmp_path


def test_launching_brings_the_node_to_active(ament_prefix, checkpoints, peer: RosPeer, tmp_path):
    pytest.importorskip('launch_ros', reason='launch_ros comes with a ROS installation only')

    script = (
        'import sys, launch, launch.actions, launch.launch_description_sources as sources\n'
        'service = launch.LaunchService(argv=[])\n'
        'service.include_launch_description(launch.actions.IncludeLaunchDescription(\n'
        '    sources.PythonLaunchDescriptionSource(sys.argv[1]),\n'
        "    launch_arguments=[argument.split(':=') for argument in sys.argv[2:]]))\n"
        'sys.exit(service.run())\n'
    )
    with (tmp_path / 'launch.log').open('w') as log:
        process = subprocess.Popen(
            [
                *(sys.executable, '-c', script, str(LAUNCH_FILE)),
                *('image:=/front/image', 'namespace:=robot', 'device:=cpu'),
                f'checkpoint:={checkpoints["SegDepthFormer"]}',
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'ROS_LOG_DIR': str(tmp_path)},
        )
    try:
        publisher = peer.publisher(Image, '/front/image')
        peer.wait_for(
            lambda: peer.state('/robot/perception') == 'active', 'the launched node to be active'
        )
        assert publisher.get_subscription_count() == 1
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0, (tmp_path / 'launch.log').read_text()
