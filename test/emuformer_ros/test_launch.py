"""The launch file without a ROS installation: read, not run. Where launch_ros is, it is run."""

import ast
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import launch_files
import pytest
import yaml
from frames import image_message, picture
from ros_peer import RosPeer
from sensor_msgs.msg import Image, PointCloud2

from emuformer_ros.maps.outputs import MAP_TOPICS
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
    assert named == {
        'autostart', 'camera_info', 'cameras', 'image', 'namespace', 'params_file', 'respawn',
        'rviz', 'use_sim_time',
    }  # fmt: skip


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


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return launch_files.load(LAUNCH_FILE, monkeypatch)


def context(**arguments: str) -> SimpleNamespace:
    """What the launch file is run in: its defaults, and the arguments given."""
    given = {
        'image': '/camera/image_raw',
        'params_file': str(share_file('config/perception.yaml')),
        'respawn': 'true',
        **arguments,
    }
    return SimpleNamespace(launch_configurations=defaultdict(str, given))


def remappings(launch_file: ModuleType, **arguments: str) -> list[tuple[str, str]]:
    """The node's remappings."""
    return launch_file.camera_remappings(context(**arguments))


@pytest.mark.parametrize('cameras', ['front,left', '[front, left]', "['front', 'left']"])
def test_cameras_are_remapped_to_topics_with_their_names(launch_file, cameras):
    topics = {'image': '/{camera}/image_raw', 'camera_info': '/calibration/{camera}'}

    assert remappings(launch_file, cameras=cameras) == []
    assert remappings(launch_file, cameras=cameras, **topics) == [
        ('front/image', '/front/image_raw'),
        ('front/camera_info', '/calibration/front'),
        ('left/image', '/left/image_raw'),
        ('left/camera_info', '/calibration/left'),
    ]


def test_a_single_camera_is_remapped_to_the_topics_as_they_are(launch_file):
    assert remappings(launch_file) == [('image', '/camera/image_raw')]
    assert remappings(launch_file, image='/a/b', camera_info='/c') == [
        ('image', '/a/b'),
        ('camera_info', '/c'),
    ]


def test_one_topic_for_several_cameras_is_an_error_that_says_what_to_write(launch_file):
    with pytest.raises(ValueError, match=r'write \{camera\} where their names belong'):
        remappings(launch_file, cameras='front,left', image='/camera/image')


@pytest.mark.parametrize('name', ['image', 'camera_info'])
def test_topics_of_cameras_that_are_not_named_are_an_error_that_says_how_to_name_them(
    name, launch_file
):
    with pytest.raises(ValueError, match='give their names too, as in cameras:=front,left'):
        remappings(launch_file, **{name: '/{camera}/topic'})


@pytest.mark.parametrize('image', ['/camera/image_raw', ''])
def test_cameras_without_an_image_topic_have_those_under_their_names(launch_file, image):
    assert remappings(launch_file, cameras='front,left', image=image) == []


@pytest.mark.parametrize(
    ('arguments', 'shown'),
    [
        ({}, '/camera/image_raw'),
        ({'namespace': 'robot'}, '/camera/image_raw'),
        ({'namespace': 'robot', 'image': 'camera/image_raw'}, '/robot/camera/image_raw'),
        ({'namespace': '/robot/', 'image': ''}, '/robot/image'),
        ({'namespace': 'robot', 'cameras': 'front,left'}, '/robot/front/image'),
        (
            {'namespace': 'robot', 'cameras': 'front,left', 'image': '{camera}/rgb'},
            '/robot/front/rgb',
        ),
        ({'cameras': 'front,left', 'image': '/{camera}/rgb'}, '/front/rgb'),
    ],
)
def test_rviz_shows_the_image_that_the_node_subscribes_to(launch_file, arguments, shown):
    launch_file.start_rviz(context(**arguments))

    remapped = dict(launch_file.Node.call_args.kwargs['remappings'])
    assert remapped['/camera/image_raw'] == shown


def test_rviz_shows_the_maps_of_the_first_camera_of_the_node_in_its_namespace(launch_file):
    launch_file.start_rviz(context(namespace='robot', cameras='front,left'))

    remapped = dict(launch_file.Node.call_args.kwargs['remappings'])
    assert remapped['/perception/depth/image'] == '/robot/perception/front/depth/image'


@pytest.mark.parametrize(
    ('given', 'names'), [('', set()), ('true', {'use_sim_time'}), ('false', {'use_sim_time'})]
)
def test_the_parameter_file_decides_on_simulated_time_unless_the_argument_does(
    launch_file, given, names
):
    launch_file.start_node(context(use_sim_time=given))
    launch_file.start_rviz(context(use_sim_time=given))

    for action in (launch_file.LifecycleNode, launch_file.Node):
        given_by_name = [
            each for each in action.call_args.kwargs['parameters'] if isinstance(each, dict)
        ]
        assert {name for each in given_by_name for name in each} - {'autostart'} == names


def test_the_parameter_file_may_be_in_the_home_directory(launch_file, tmp_path, monkeypatch):
    file = tmp_path / 'mine.yaml'
    file.touch()
    monkeypatch.setenv('HOME', str(tmp_path))
    launch_file.start_node(context(params_file='~/mine.yaml'))

    assert str(file) in launch_file.LifecycleNode.call_args.kwargs['parameters']


@pytest.mark.parametrize('given', ['/mistyped.yaml', '~/mistyped.yaml', '/', ''])
def test_a_parameter_file_that_is_none_starts_no_node_and_is_named(launch_file, given):
    with pytest.raises(ValueError, match=f"params_file is '{given}', which is no file"):
        launch_file.start_node(context(params_file=given))

    assert not launch_file.LifecycleNode.called


@pytest.fixture(scope='module')
def rviz() -> dict:
    return yaml.safe_load(share_file('config/perception.rviz').read_text())


def displayed(rviz: dict) -> dict[str, dict]:
    displays = rviz['Visualization Manager']['Displays']
    return {display['Topic']['Value']: display for display in displays}


SHOWN_AT_FIRST = {
    '/camera/image_raw',
    '/perception/semantic/overlay',
    '/perception/semantic/uncertainty',
    '/perception/depth/image',
    '/perception/depth/uncertainty',
}
"""What RViz subscribes to when it opens: the rest costs the node more, and is a click away."""

QOS = {'Depth', 'Durability Policy', 'History Policy', 'Reliability Policy', 'Value'}
IMAGE = {
    'Class', 'Enabled', 'Max Value', 'Median window', 'Min Value', 'Name', 'Normalize Range',
    'Topic', 'Value',
}  # fmt: skip
POINT_CLOUD = {
    'Alpha', 'Autocompute Intensity Bounds', 'Autocompute Value Bounds', 'Axis', 'Channel Name',
    'Class', 'Color', 'Color Transformer', 'Decay Time', 'Enabled', 'Invert Rainbow', 'Max Color',
    'Max Intensity', 'Min Color', 'Min Intensity', 'Name', 'Position Transformer', 'Selectable',
    'Size (Pixels)', 'Size (m)', 'Style', 'Topic', 'Use Fixed Frame', 'Use rainbow', 'Value',
}  # fmt: skip


def test_rviz_shows_topics_of_the_node_with_the_display_for_their_type(rviz):
    classes = {
        Image: 'rviz_default_plugins/Image',
        PointCloud2: 'rviz_default_plugins/PointCloud2',
    }
    displays = {
        topic.name.replace('~', '/perception'): classes.get(topic.message_type)
        for topic in MAP_TOPICS
    }
    displays['/camera/image_raw'] = classes[Image]

    for topic, display in displayed(rviz).items():
        assert display['Class'] == displays[topic], topic


def test_rviz_shows_the_camera_and_four_maps_until_more_is_switched_on(rviz):
    enabled = {topic for topic, display in displayed(rviz).items() if display['Enabled']}

    assert enabled == SHOWN_AT_FIRST
    for display in displayed(rviz).values():
        assert display['Value'] is display['Enabled']


def test_rviz_displays_have_the_properties_of_their_display(rviz):
    for display in displayed(rviz).values():
        if display['Class'].endswith('/Image'):
            assert set(display) == IMAGE
            assert set(display['Topic']) == QOS
        else:
            assert set(display) == POINT_CLOUD
            assert set(display['Topic']) == QOS | {'Filter size'}


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
        f'#!/bin/sh\necho $$ > {tmp_path}/pid\n'
        f'exec {sys.executable} -m emuformer_ros.perception_node "$@"\n'
    )
    executable.chmod(0o755)
    others = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join(filter(None, [str(tmp_path), others])))
    return tmp_path


def test_launching_brings_the_node_to_active_and_so_when_it_is_killed(
    ament_prefix, checkpoints, peer: RosPeer, tmp_path
):
    pytest.importorskip('launch_ros', reason='launch_ros comes with a ROS installation only')

    with (tmp_path / 'launch.log').open('w') as log:
        process = subprocess.Popen(
            launch_files.launch_command(
                LAUNCH_FILE,
                *('image:=/front/image', 'namespace:=robot', 'device:=cpu'),
                f'checkpoint:={checkpoints["SegDepthFormer"]}',
            ),
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
        os.kill(int((ament_prefix / 'pid').read_text()), signal.SIGKILL)
        # What is left of the killed node is forgotten after the time that it promised to live.
        depths = peer.collect(Image, '/robot/perception/depth/image')
        peer.wait_for(
            lambda: publisher.publish(image_message(picture(60, 80))) or depths,
            'a map of the node that was started again',
        )
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0, (tmp_path / 'launch.log').read_text()


def test_launching_with_a_mistyped_parameter_file_ends_with_a_sentence_and_no_node(
    ament_prefix, tmp_path
):
    pytest.importorskip('launch_ros', reason='launch_ros comes with a ROS installation only')

    ended = subprocess.run(
        launch_files.launch_command(LAUNCH_FILE, 'params_file:=~/mistyped.yaml'),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, 'ROS_LOG_DIR': str(tmp_path)},
    )

    assert ended.returncode == 1
    assert "params_file is '~/mistyped.yaml', which is no file" in ended.stdout + ended.stderr
    assert not (ament_prefix / 'pid').exists()
