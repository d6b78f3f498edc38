"""Several cameras through one node, against a node for each camera.

    python benchmarks/cameras.py --json FILE

Every camera publishes 640x480 images and a subscriber takes the four maps of each, over DDS on
this machine: at a given rate each, and each as soon as the maps of its last image have arrived
('in turn'). Latency is from the publication of an image to the arrival of its last map.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cameras_rig import CamerasRig
from benchmarks.node_options import (
    PERCENTILES,
    add_node_options,
    node_parameters,
    write_figures,
)

_SETTLE_S = 3.0
_WARM_UP_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Result:
    """One scenario's figures.

    Attributes:
        cameras: How many.
        nodes: How many processes perceived for them.
        name: How the cameras published.
        offered_hz: Images published per second, of all cameras.
        rate_hz: Images per second whose maps arrived, of all cameras.
        slowest_camera_hz: The same of the camera that got the fewest.
        latency_ms: Percentiles (50, 95, 99, 100) in milliseconds.
        cpu_percent: CPU time of all nodes over time; 100 is one core.
        memory_mb: Memory of all nodes in MiB; what they share is counted once.
    """

    cameras: int
    nodes: int
    name: str
    offered_hz: float
    rate_hz: float
    slowest_camera_hz: float
    latency_ms: tuple[float, ...]
    cpu_percent: float
    memory_mb: float


def play_at_rate(rig: CamerasRig, rate_hz: float, duration_s: float) -> None:
    """Each camera sends a frame every 1/rate seconds, whatever the nodes do, all out of step."""
    start, slots = time.monotonic(), len(rig.feeds)
    for index in range(round(rate_hz * duration_s * slots)):
        due = start + index / (rate_hz * slots)
        while (left := due - time.monotonic()) > 0:
            rig.spin_once(left)
        rig.feeds[index % slots].send()
    settle(rig, start + duration_s)


def play_in_turn(rig: CamerasRig, duration_s: float) -> None:
    """Each camera sends a frame when the maps of its last one have arrived."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        for feed in rig.feeds:
            if feed.is_idle():
                feed.send()
        rig.spin_once(end - time.monotonic())


def settle(rig: CamerasRig, end_s: float) -> None:
    """Take in what arrives until a time of time.monotonic."""
    while (left := end_s - time.monotonic()) > 0:
        rig.spin_once(left)


def warm_up(rig: CamerasRig, frames: int = 3) -> None:
    """Send some frames, the first of which take longer."""
    end = time.monotonic() + _WARM_UP_TIMEOUT_S
    for _ in range(frames):
        for feed in rig.feeds:
            feed.send()
        while not all(feed.is_idle() for feed in rig.feeds):
            rig.spin_once(1.0)
            if time.monotonic() > end:
                raise RuntimeError('images were sent and their maps did not come')


def measure(rig: CamerasRig, nodes: int, name: str, play: Callable[[], None]) -> Result:
    """The figures of a scenario."""
    for feed in rig.feeds:
        feed.sent.clear()
    start, cpu_s = time.monotonic(), rig.cpu_s()
    play()
    duration, cpu_s = time.monotonic() - start, rig.cpu_s() - cpu_s
    settle(rig, time.monotonic() + _SETTLE_S)
    done = [[frame for frame in feed.sent if frame.complete] for feed in rig.feeds]
    latencies = [1e3 * frame.latency_s for frames in done for frame in frames]
    if not latencies:
        raise RuntimeError(f'{name}: no image came back as maps')
    return Result(
        cameras=len(rig.feeds),
        nodes=nodes,
        name=name,
        offered_hz=round(sum(len(feed.sent) for feed in rig.feeds) / duration, 2),
        rate_hz=round(len(latencies) / duration, 2),
        slowest_camera_hz=round(min(map(len, done)) / duration, 2),
        latency_ms=tuple(np.percentile(latencies, PERCENTILES).round(2).tolist()),
        cpu_percent=round(100 * cpu_s / duration, 1),
        memory_mb=round(rig.memory_mb(), 1),
    )


def main() -> None:
    """The command line."""
    options = _parse()
    parameters = node_parameters(options, 'max_batch')
    results, runtime = [], {}
    for cameras in options.cameras:
        for nodes in sorted({1, cameras}):
            size = (options.height, options.width)
            with CamerasRig(cameras, nodes == 1, size, parameters) as rig:
                warm_up(rig)
                scenarios = {
                    f'{options.rate:g} Hz': lambda rig=rig: play_at_rate(
                        rig, options.rate, options.seconds
                    ),
                    'in turn': lambda rig=rig: play_in_turn(rig, options.seconds),
                }
                for name, play in scenarios.items():
                    results.append(measure(rig, nodes, name, play))
                    print_result(results[-1])
                runtime = rig.runtime
    write_figures(options, results, runtime)


def print_result(result: Result) -> None:
    """One line about a scenario."""
    print(
        f'{result.cameras} cameras, {result.nodes} nodes, {result.name:8} {result.rate_hz:6.1f} '
        f'of {result.offered_hz:6.1f} Hz (slowest camera {result.slowest_camera_hz:.1f}), latency '
        f'{result.latency_ms[0]:7.1f} ms (95 %: {result.latency_ms[1]:.1f}), CPU '
        f'{result.cpu_percent:.0f} %, {result.memory_mb:.0f} MB',
        flush=True,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--cameras', type=int, nargs='+', default=[1, 2, 4, 6])
    parser.add_argument('--rate', type=float, default=10.0, help='of each camera, in Hz')
    parser.add_argument('--seconds', type=float, default=20.0, help='of each scenario')
    add_node_options(parser)
    parser.add_argument('--max-batch', type=int, help='where the engine gains by batches')
    return parser.parse_args()


if __name__ == '__main__':
    main()
