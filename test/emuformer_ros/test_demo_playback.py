"""The demo's parts against a node that misbehaves, in a process of its own."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from recordings import IMAGE, camera_samples, write_ros2

from emuformer_ros.bags.cameras import camera_frames
from emuformer_ros.bags.reading import Bag
from emuformer_ros.bags.writing import write_bag
from emuformer_ros.demo import DemoError, isolation, playback
from emuformer_ros.demo.node_process import NodeProcess
from emuformer_ros.demo.playback import Playback
from emuformer_ros.demo.player import Player
from emuformer_ros.demo.recorder import FrameRecord, Recorder
from emuformer_ros.demo.session import Session
from emuformer_ros.maps.outputs import MAP_TOPICS

FRAMES = 5
MAPS = ('~/semantic/image', '~/depth/image', '~/depth/camera_info')
"""What the odd node publishes."""


@pytest.fixture
def session():
    with Session() as session:
        yield session


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts the odd node in a mode; it ends with the test."""
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parent), prepend=':')
    processes = []

    def start(mode, module='odd_node'):
        parameters = {'mode': mode} if mode else {}
        remappings = {'image': '/camera/image_raw'}
        log = tmp_path / 'node.log'
        processes.append(NodeProcess(log, remappings, parameters, module))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()


@pytest.fixture
def frames(tmp_path):
    with Bag(write_ros2(tmp_path / 'bag', camera_samples(FRAMES))) as bag:
        yield list(camera_frames(bag, '/camera/image_raw'))


@pytest.fixture
def play(session, tmp_path, frames):
    """Plays all frames through a process and returns what the recorder knows of them."""

    def play(process):
        with write_bag(tmp_path / 'maps.mcap') as bag:
            player = Player(session.node, '/camera/image_raw', IMAGE)
            session.wait_until_active(process)
            topics = [topic for topic in MAP_TOPICS if topic.name in MAPS]
            with Recorder(session.node, bag, player, IMAGE, topics) as recorder:
                plays = Playback(session, process, player, recorder)
                plays.play_paced(plays.connect(frames), lambda: None)
        return recorder.frames

    return play


def test_a_node_that_cannot_be_configured_is_an_error_with_its_words(session, start):
    process = start('not_configurable')
    with pytest.raises(DemoError, match=r'could not be configured; it wrote:(?s:.)*no such check'):
        session.wait_until_active(process)


def test_a_node_that_ends_at_start_is_an_error_with_its_words(session, start):
    process = start('', module='no_such_module')
    with pytest.raises(DemoError, match=r'ended \(exit code 1\)(?s:.)*No module named no_such'):
        session.wait_until_active(process)


def test_a_node_that_ends_while_playing_is_an_error_and_no_recording_appears(
    start, play, tmp_path
):
    with pytest.raises(DemoError, match=r'ended \(exit code 9\)(?s:.)*out of memory'):
        play(start('dies'))
    assert not (tmp_path / 'maps.mcap').exists()


def test_a_map_that_does_not_come_is_named(start, play, monkeypatch):
    # The node answers within milliseconds, or never.
    monkeypatch.setattr(playback, '_DEADLINE_S', 5.0)
    with pytest.raises(DemoError, match=r'did not publish .*/depth/image within 5 s'):
        play(start('no_depth'))


def test_camera_info_that_the_node_does_not_pass_on_is_not_waited_for(start, play, tmp_path):
    records = play(start('good'))
    assert [record.is_complete() for record in records] == [True] * FRAMES
    with Bag(tmp_path / 'maps.mcap') as bag:
        counts = {name: topic.count for name, topic in bag.topics.items()}
    assert counts == {
        '/camera/image_raw': FRAMES,
        '/camera/camera_info': FRAMES,
        '/perception/depth/image': FRAMES,
        '/perception/depth/camera_info': 0,
        '/perception/semantic/image': FRAMES,
    }


def test_a_map_topic_that_comes_to_be_known_last_is_recorded_as_well(start, play, tmp_path):
    records = play(start('late_depth'))
    assert [record.is_complete() for record in records] == [True] * FRAMES
    with Bag(tmp_path / 'maps.mcap') as bag:
        assert bag.topics['/perception/depth/image'].count == FRAMES


def test_what_arrives_is_handled_between_frames_that_are_late(session, frames):
    sent, handled = [], []
    arrival = session.node.create_guard_condition(lambda: handled.append(len(sent)))

    def publish(frame):
        sent.append(frame)
        arrival.trigger()
        return 0.0

    done = FrameRecord(0, 0, set(), completed_s=0.0)
    process = SimpleNamespace(require_alive=lambda: None)
    player = SimpleNamespace(publish=publish)
    recorder = SimpleNamespace(expect=lambda frame: done)
    plays = Playback(session, process, player, recorder)
    plays.play_at_rate(frames, 1e9, lambda: None)
    assert handled == list(range(1, FRAMES))


def test_the_runtime_is_what_the_diagnostics_say(session, start):
    process = start('good')
    runtime = session.runtime(process)
    assert (runtime.engine, runtime.device) == ('odd', 'cpu')


def test_a_domain_that_somebody_uses_is_not_taken(monkeypatch):
    monkeypatch.setattr(isolation, '_DOMAINS', range(231, 232))
    assert isolation.free_domain_id() == 231
    monkeypatch.setenv('ROS_DOMAIN_ID', '231')
    with Session(), pytest.raises(DemoError, match='no free ROS 2 domain from 231 to 231'):
        isolation.free_domain_id()


def test_isolation_overrides_what_a_robot_has_set():
    environment = {
        'ROS_DOMAIN_ID': '0',
        'ROS_STATIC_PEERS': 'robot',
        'ROS_LOCALHOST_ONLY': '0',
        'ROS_DISCOVERY_SERVER': 'robot:11811',
        'ROS_SUPER_CLIENT': 'true',
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': '/robot/keystore',
        'ROS_SECURITY_ENCLAVE_OVERRIDE': '/robot',
        'ROS_LOG_DIR': '/robot/logs',
    }
    isolation.isolate(220, environment)
    assert environment == {
        'ROS_DOMAIN_ID': '220',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': '/robot/logs',
    }


def test_log_files_go_into_a_folder_unless_the_user_has_chosen_one(tmp_path):
    wanted = {'ROS_LOG_DIR': str(tmp_path)}
    assert isolation.log_environment(tmp_path, {}) == wanted
    assert isolation.log_environment(tmp_path, {'ROS_LOG_DIR': ''}) == wanted
    for name in ('ROS_LOG_DIR', 'ROS_HOME'):
        assert isolation.log_environment(tmp_path, {name: '/chosen'}) == {}


def test_what_keeps_ros_from_starting_is_an_error_with_its_words(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', 'abc')
    with pytest.raises(DemoError, match=r'ROS 2 does not start: .*ROS_DOMAIN_ID'):
        Session()
