"""What the node adds to the engine: latency, rate, CPU and memory at several camera rates.

    python benchmarks/node.py --json FILE

A camera publishes 640x480 images and a subscriber takes the four maps, over DDS on this machine:
at each given rate, each frame as soon as the maps of the one before have arrived ('in turn'), and
three times as fast as that ('overload'). Latency is from the publication of an image to the
arrival of its last map; the overhead is what of it the engine did not run. 'relay' is a node that
publishes four ready maps as soon as an image is there: the latency that DDS and rclpy have alone.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.node_options import (
    PERCENTILES,
    add_node_options,
    node_parameters,
    write_figures,
)
from benchmarks.node_rig import NodeRig, SentFrame

_RELAY = Path(__file__).with_name('relay_node.py')
_WARM_UP_FRAMES = 5
_OVERLOAD = 3
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Result:
    """One scenario's figures; times are percentiles (50, 95, 99, 100) in milliseconds.

    Attributes:
        name: How the camera published.
        offered_hz: Images published per second.
        rate_hz: Images per second whose maps arrived.
        frames: How many these were.
        dropped: Images whose maps did not arrive.
        latency_ms: From the publication of an image to the arrival of its last map.
        engine_ms: How long the engine ran for it.
        overhead_ms: Latency less the engine's time.
        before_engine_ms: The part of the overhead from the publication to the engine's start.
        after_engine_ms: The part from the engine's end to the last map's arrival.
        cpu_percent: CPU time of the node over time; 100 is one core.
        memory_mb: Resident memory of the node at the end, in MiB.
        peak_memory_mb: The most it ever was.
    """

    name: str
    offered_hz: float
    rate_hz: float
    frames: int
    dropped: int
    latency_ms: tuple[float, ...]
    engine_ms: tuple[float, ...]
    overhead_ms: tuple[float, ...]
    before_engine_ms: tuple[float, ...]
    after_engine_ms: tuple[float, ...]
    cpu_percent: float
    memory_mb: float
    peak_memory_mb: float


def warm_up(rig: NodeRig) -> None:
    """Send some frames, the first of which take longer."""
    for _ in range(_WARM_UP_FRAMES):
        rig.wait_for(rig.send())


def measure(rig: NodeRig, name: str, run: Callable[[], None]) -> Result:
    """The figures of a scenario that `run` plays."""
    rig.spin(time.monotonic() + _SETTLE_S)
    rig.frames()
    start, before = time.monotonic(), rig.usage()
    run()
    duration, after = time.monotonic() - start, rig.usage()
    rig.spin(time.monotonic() + _SETTLE_S)
    sent = rig.frames()
    done = [frame for frame in sent if frame.complete]
    if not done:
        raise RuntimeError(f'{name}: of {len(sent)} images, none came back as maps')
    return Result(
        name=name,
        offered_hz=round(len(sent) / duration, 2),
        rate_hz=round(len(done) / duration, 2),
        frames=len(done),
        dropped=len(sent) - len(done),
        **{f'{part}_ms': percentiles_ms(times) for part, times in split(done).items()},
        cpu_percent=round(100 * (after.cpu_s - before.cpu_s) / duration, 1),
        memory_mb=round(after.memory_mb, 1),
        peak_memory_mb=round(after.peak_memory_mb, 1),
    )


def measure_at_rates(rig: NodeRig, options: argparse.Namespace, prefix: str = '') -> list[Result]:
    """The figures at each of the rates that are asked for."""
    return [
        measure(
            rig,
            f'{prefix}{rate:g} Hz',
            lambda rate=rate: play_at_rate(rig, rate, options.seconds),
        )
        for rate in options.rates
    ]


def split(frames: Sequence[SentFrame]) -> dict[str, list[float]]:
    """The latency of complete frames and its parts, in seconds."""
    before = [frame.engine_s[0] - frame.published_s for frame in frames]
    engine = [frame.engine_s[1] - frame.engine_s[0] for frame in frames]
    after = [frame.published_s + frame.latency_s - frame.engine_s[1] for frame in frames]
    return {
        'latency': [frame.latency_s for frame in frames],
        'engine': engine,
        'overhead': [sum(parts) for parts in zip(before, after)],
        'before_engine': before,
        'after_engine': after,
    }


def percentiles_ms(times_s: Sequence[float]) -> tuple[float, ...]:
    """The percentiles of times in seconds, as milliseconds."""
    found = np.percentile(1e3 * np.array(times_s), PERCENTILES)
    return tuple(round(float(value), 2) for value in found)


def play_at_rate(rig: NodeRig, rate_hz: float, duration_s: float) -> None:
    """Send a frame every 1/rate seconds, whatever the node does."""
    start = time.monotonic()
    for index in range(round(rate_hz * duration_s)):
        rig.spin(start + index / rate_hz)
        rig.send()
    rig.spin(start + duration_s)


def play_in_turn(rig: NodeRig, duration_s: float) -> None:
    """Send each frame when all maps of the one before have arrived."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        if not rig.wait_for(rig.send()):
            raise RuntimeError('a frame was sent and its maps did not come')


def main() -> None:
    """The command line."""
    options = _parse()
    size = options.height, options.width
    with NodeRig(size, node_parameters(options)) as rig:
        warm_up(rig)
        results = measure_at_rates(rig, options)
        in_turn = measure(rig, 'in turn', lambda: play_in_turn(rig, options.seconds))
        overload_hz = _OVERLOAD * in_turn.rate_hz
        overload = measure(
            rig, 'overload', lambda: play_at_rate(rig, overload_hz, options.seconds)
        )
        results += [in_turn, overload]
        runtime = {name: rig.diagnostics[name] for name in ('engine', 'device', 'precision')}
    with NodeRig(size, {}, _RELAY) as rig:
        warm_up(rig)
        results += measure_at_rates(rig, options, 'relay at ')
    for result in results:
        print(
            f'{result.name:14} {result.rate_hz:6.1f} of {result.offered_hz:6.1f} Hz, latency '
            f'{result.latency_ms[0]:6.1f} ms, engine {result.engine_ms[0]:6.1f}, overhead '
            f'{result.overhead_ms[0]:5.1f} (95 %: {result.overhead_ms[1]:.1f}; before '
            f'{result.before_engine_ms[0]:.1f}, after {result.after_engine_ms[0]:.1f}), CPU '
            f'{result.cpu_percent:.0f} %, {result.memory_mb:.0f} MB'
        )
    write_figures(options, results, runtime)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rates', type=float, nargs='*', default=[10.0, 30.0], help='in Hz')
    parser.add_argument('--seconds', type=float, default=20.0, help='of each scenario')
    add_node_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    main()
