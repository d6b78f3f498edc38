"""The launch file that plays a recording: read, and run where launch_ros is installed."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import launch_files
import pytest
from ros_peer import DEADLINE_S, RosPeer

from emuformer_ros.share import share_file

LAUNCH_FILE = share_file('launch/replay.launch.py')
INCLUDED = share_file('launch/perception.launch.py')


def arguments(file: Path) -> dict[str, set[str]]:
    """What each DeclareLaunchArgument with a constant name says, by that name."""
    return {
        node.args[0].value: {keyword.arg for keyword in node.keywords}
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, 'id', '') == 'DeclareLaunchArgument'
        and isinstance(node.args[0], ast.Constant)
    }


def strings(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def test_all_arguments_are_described_and_only_the_recording_has_no_default():
    declared = arguments(LAUNCH_FILE)

    assert set(declared) == {'bag', 'rate', 'loop', 'play_options', 'rviz'}
    assert all('description' in keywords for keywords in declared.values())
    assert {name for name, words in declared.items() if 'default_value' not in words} == {'bag'}


def test_it_includes_the_launch_file_of_the_node_in_simulated_time():
    text = strings(LAUNCH_FILE)

    assert 'launch/perception.launch.py' in text
    assert 'use_sim_time' in text
    assert {'use_sim_time', 'rviz'} <= set(arguments(INCLUDED))


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return launch_files.load(LAUNCH_FILE, monkeypatch)


def started(launch_file: ModuleType, **arguments: str) -> list[list]:
    """The commands of what waits for the node and of what plays the recording."""
    context = SimpleNamespace(
        launch_configurations={'bag': '/', 'loop': 'false', 'play_options': '', **arguments}
    )
    launch_file.play_when_active(context)
    return [call.kwargs['cmd'] for call in launch_file.ExecuteProcess.call_args_list]


@pytest.mark.parametrize(
    ('arguments', 'node'),
    [
        ({}, '/perception'),
        ({'namespace': ''}, '/perception'),
        ({'namespace': '/robot'}, '/robot/perception'),
        ({'namespace': 'robot/'}, '/robot/perception'),
    ],
)
def test_the_recording_waits_for_the_node_in_its_namespace(launch_file, arguments, node):
    waiting, player = started(launch_file, **arguments)

    assert waiting[1:] == ['-m', 'emuformer_ros.wait_until_active', node]
    assert player[:3] == ['ros2', 'bag', 'play']


def test_the_recording_may_be_in_the_home_directory(launch_file, tmp_path, monkeypatch):
    (tmp_path / 'drive').mkdir()
    monkeypatch.setenv('HOME', str(tmp_path))

    assert started(launch_file, bag='~/drive')[1][3] == str(tmp_path / 'drive')


@pytest.mark.parametrize('given', ['/mistyped', '~/mistyped', ''])
def test_a_recording_that_is_not_there_is_refused_and_named(launch_file, given):
    with pytest.raises(ValueError, match=f"bag is '{given}', and there is none"):
        started(launch_file, bag=given)


@pytest.mark.parametrize(('code', 'plays'), [(0, True), (1, False)])
def test_the_recording_plays_only_if_the_node_became_active(launch_file, code, plays):
    started(launch_file)
    on_exit = launch_file.OnProcessExit.call_args.kwargs['on_exit']

    assert bool(on_exit(SimpleNamespace(returncode=code), None)) is plays


@pytest.mark.parametrize(('loop', 'asked'), [('true', True), ('True', True), ('false', False)])
def test_the_recording_loops_where_it_is_asked_to_however_that_is_written(
    loop, asked, launch_file
):
    assert ('--loop' in started(launch_file, loop=loop)[1]) is asked


def test_further_options_are_passed_on_to_the_player(launch_file):
    command = started(launch_file, play_options="--topics /a/image '/a/camera_info'")[1]
    assert command[-3:] == ['--topics', '/a/image', '/a/camera_info']


def test_waiting_ends_when_the_node_is_active_and_not_before(node, peer, checkpoints):
    command = [sys.executable, '-m', 'emuformer_ros.wait_until_active', '/perception']
    waiting = subprocess.Popen(command)
    try:
        peer.wait_for(
            lambda: 'wait_until_active' in peer.node.get_node_names(), 'the process that waits'
        )
        assert peer.set_parameter('checkpoint', str(checkpoints['SegFormer'])).successful
        assert peer.transition('configure')
        assert waiting.poll() is None
        assert peer.transition('activate')
        assert waiting.wait(DEADLINE_S) == 0
    finally:
        waiting.kill()


def test_waiting_that_is_interrupted_has_not_seen_the_node_active(peer):
    command = [sys.executable, '-m', 'emuformer_ros.wait_until_active', '/nobody']
    waiting = subprocess.Popen(command)
    try:
        peer.wait_for(
            lambda: 'wait_until_active' in peer.node.get_node_names(), 'the process that waits'
        )
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(DEADLINE_S) == 1
    finally:
        waiting.kill()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prefix with the node, and a `ros2` that writes down what it is asked to do."""
    marker = tmp_path / 'share/ament_index/resource_index/packages/emuformer_ros'
    node, ros2 = tmp_path / 'lib/emuformer_ros/perception_node', tmp_path / 'bin/ros2'
    for file in (marker, node, ros2):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o755)
    node.write_text(f'#!/bin/sh\nexec {sys.executable} -m emuformer_ros.perception_node "$@"\n')
    ros2.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked.partial\n')
    with ros2.open('a') as script:
        script.write(f'mv {tmp_path}/asked.partial {tmp_path}/asked\n')
    others = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', os.pathsep.join(filter(None, [str(tmp_path), others])))
    monkeypatch.setenv('PATH', os.pathsep.join([str(ros2.parent), os.environ['PATH']]))
    return tmp_path


def test_the_recording_plays_with_its_clock_once_the_node_is_active(
    installed, checkpoints, peer: RosPeer
):
    pytest.importorskip('launch_ros', reason='launch_ros comes with a ROS installation only')

    asked, log = installed / 'asked', installed / 'launch.log'
    drive = installed / 'drive'
    drive.mkdir()
    with log.open('w') as output:
        process = subprocess.Popen(
            launch_files.launch_command(
                LAUNCH_FILE,
                *(f'bag:={drive}', 'rate:=0.5', 'loop:=True', 'rviz:=false'),
                *('namespace:=replayed', 'device:=cpu'),
                f'checkpoint:={checkpoints["SegDepthFormer"]}',
            ),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'ROS_LOG_DIR': str(installed)},
        )
    try:
        peer.wait_for(asked.exists, 'the recording to be played')
        assert peer.state('/replayed/perception') == 'active'
        assert asked.read_text() == f'bag play {drive} --clock 100 --rate 0.5 --loop\n'
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0, log.read_text()
