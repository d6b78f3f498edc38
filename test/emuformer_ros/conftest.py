"""Fixtures of the tests that talk to the node over DDS."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import rclpy
from frames import IMAGE_TOPIC
from node_process import NodeProcess
from ros_peer import RosPeer

from emuformer_ros.demo.isolation import log_environment


@pytest.fixture(scope='session', autouse=True)
def own_ros_logs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the log files of ROS 2 out of the home directory, which may not be writable."""
    os.environ.update(log_environment(tmp_path_factory.mktemp('ros_logs')))


@pytest.fixture(scope='session')
def ros_context() -> Iterator[rclpy.Context]:
    """The DDS participant of the tests: one, so that the node is discovered once."""
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture(scope='session')
def session_peer(ros_context: rclpy.Context) -> Iterator[RosPeer]:
    """A ROS node in a process with no special environment."""
    peer = RosPeer(ros_context)
    yield peer
    peer.close()


@pytest.fixture
def peer(session_peer: RosPeer) -> Iterator[RosPeer]:
    """The session's ROS node, without what other tests published or subscribed to."""
    yield session_peer
    session_peer.forget_topics()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts node processes that end with the test."""
    processes: list[NodeProcess] = []

    def start(**options) -> NodeProcess:
        processes.append(NodeProcess(tmp_path / f'node_{len(processes)}.log', **options))
        return processes[-1]

    yield start
    for process in processes:
        if process.is_alive():
            process.stop()


@pytest.fixture
def start_active(
    start_node: Callable[..., NodeProcess], checkpoints: dict[str, Path]
) -> Callable[..., NodeProcess]:
    """Starts nodes of a name that activate themselves, with their image on /<name>/image_raw."""

    def start(
        name: str,
        network: str = 'SegDepthFormer',
        parameters: Mapping[str, object] | None = None,
        remaps: Mapping[str, str] | None = None,
        **options,
    ) -> NodeProcess:
        return start_node(
            parameters={
                'autostart': 'true',
                'engine': 'torch',
                'device': 'cpu',
                'checkpoint': checkpoints[network],
                'diagnostics_period_s': 0.2,
                **(parameters or {}),
            },
            remaps={'__node': name, 'image': f'/{name}/image_raw', **(remaps or {})},
            **options,
        )

    return start


@pytest.fixture(scope='session')
def node_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node process that tests share; each finds it unconfigured and leaves it so."""
    process = NodeProcess(
        tmp_path_factory.mktemp('node') / 'node.log',
        parameters={'diagnostics_period_s': 0.2, 'engine': 'torch', 'device': 'cpu'},
        remaps={'image': IMAGE_TOPIC},
    )
    yield process
    assert process.stop() == 0, process.log


@pytest.fixture
def node(node_process: NodeProcess, peer: RosPeer) -> Iterator[NodeProcess]:
    """The shared node, unconfigured, with the parameters that it was started with."""
    defaults = peer.parameters()
    yield node_process
    if peer.state() == 'active':
        assert peer.transition('deactivate')
    if peer.state() == 'inactive':
        assert peer.transition('cleanup')
    for name, value in peer.parameters().items():
        if value != defaults[name]:
            assert peer.set_parameter(name, value=defaults[name]).successful


@pytest.fixture
def active_node(node: NodeProcess, peer: RosPeer, checkpoints: dict[str, Path]) -> NodeProcess:
    """The shared node, active with a SegDepthFormer."""
    peer.configure_and_activate(checkpoint=str(checkpoints['SegDepthFormer']))
    return node
