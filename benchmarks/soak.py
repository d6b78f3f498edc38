"""Does the node stay as it is? Its memory and latency over half an hour at the camera's rate.

    python benchmarks/soak.py --minutes 30 --json FILE --plot FILE

The camera publishes 640x480 images and a subscriber takes the four maps, as in benchmarks/node.py.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.node import warm_up
from benchmarks.node_options import this_machine
from benchmarks.node_rig import NodeRig, SentFrame
from emuformer_ros.health.process_usage import ProcessUsage

_IN_FLIGHT_S = 2.0
"""A frame that has not come back by then was dropped."""

_SETTLED = 0.2
"""Share of the time after which memory should not grow any more."""


@dataclass(frozen=True)
class Sample:
    """The node over one interval.

    Attributes:
        minute: Minutes from the start to the interval's end.
        memory_mb: Resident memory at its end, in MiB.
        threads: How many threads the node had then.
        sent: Images published.
        dropped: Images whose maps did not arrive.
        latency_ms: 50th, 95th and 100th percentile of the time from the publication of an image
            to the arrival of its last map; None where no map arrived.
    """

    minute: float
    memory_mb: float
    threads: int
    sent: int
    dropped: int
    latency_ms: tuple[float, float, float] | None


def soak(rig: NodeRig, rate_hz: float, duration_s: float, interval_s: float) -> list[Sample]:
    """Publish at a rate for some time, and take a sample after every interval."""
    samples = []
    start = time.monotonic()
    for index in range(round(rate_hz * duration_s)):
        rig.spin(start + index / rate_hz)
        now_s = time.monotonic()
        if now_s - start >= interval_s * (len(samples) + 1):
            frames = rig.frames(now_s - _IN_FLIGHT_S)
            samples.append(make_sample((now_s - start) / 60, rig.usage(), frames))
            print_sample(samples[-1])
        rig.send()
    return samples


def make_sample(minute: float, usage: ProcessUsage, frames: Sequence[SentFrame]) -> Sample:
    """The sample of an interval's frames."""
    latencies_ms = [1e3 * frame.latency_s for frame in frames if frame.complete]
    found = np.percentile(latencies_ms, (50, 95, 100)).round(2).tolist() if latencies_ms else None
    return Sample(
        minute=round(minute, 3),
        memory_mb=round(usage.memory_mb, 1),
        threads=usage.threads,
        sent=len(frames),
        dropped=len(frames) - len(latencies_ms),
        latency_ms=found and tuple(found),
    )


def print_sample(sample: Sample) -> None:
    """One line about an interval."""
    latency = ' '.join(f'{value:.1f}' for value in sample.latency_ms or ())
    print(
        f'{sample.minute:6.1f} min  {sample.memory_mb:7.1f} MB  {sample.threads} threads  '
        f'{sample.sent - sample.dropped} of {sample.sent} frames  latency {latency} ms',
        flush=True,
    )


def growth(samples: Sequence[Sample], values: Sequence[float]) -> float:
    """How fast a value grows per hour, by least squares over the settled part of the samples."""
    first = int(_SETTLED * len(samples))
    if len(samples) - first < 2:
        return float('nan')
    minutes = [sample.minute for sample in samples[first:]]
    return 60 * float(np.polyfit(minutes, values[first:], 1)[0])


def write_plot(samples: Sequence[Sample], title: str, path: Path) -> None:
    """Memory and latency over time."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    minutes = [sample.minute for sample in samples]
    latencies = np.array([sample.latency_ms or (np.nan,) * 3 for sample in samples])
    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(8, 4.5))
    above.plot(minutes, [sample.memory_mb for sample in samples], color='#1f77b4')
    above.set_ylim(bottom=0)
    above.set_ylabel('memory, MB')
    above.set_title(title, fontsize=10)
    for column, (words, colour) in enumerate(
        (('median', '#1f77b4'), ('95 %', '#d9a441'), ('worst', '#9aa5b1'))
    ):
        below.plot(minutes, latencies[:, column], color=colour, label=words)
    below.set_ylim(bottom=0)
    below.set_ylabel('latency, ms')
    below.set_xlabel('minutes')
    below.legend(frameon=False, ncols=3, fontsize=8)
    for axes in (above, below):
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, bbox_inches='tight', dpi=130)
    pyplot.close(figure)


def main() -> None:
    """The command line."""
    options = _parse()
    with NodeRig((options.height, options.width), {}) as rig:
        warm_up(rig)
        samples = soak(rig, options.rate, 60 * options.minutes, options.interval)
        runtime = ', '.join(rig.diagnostics[name] for name in ('engine', 'device', 'precision'))
    memory_growth = growth(samples, [sample.memory_mb for sample in samples])
    print(f'memory grows by {memory_growth:.1f} MB per hour once settled')
    title = f'{options.width}x{options.height} at {options.rate:g} Hz; {runtime}'
    if options.json:
        found = {
            'samples': [asdict(sample) for sample in samples],
            'memory_growth_mb_per_hour': memory_growth,
            'title': title,
            **this_machine(),
        }
        options.json.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')
    if options.plot:
        write_plot(samples, title, options.plot)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--rate', type=float, default=30.0, help="the camera's, in Hz")
    parser.add_argument('--interval', type=float, default=10.0, help='between samples, in s')
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--json', type=Path, help='file for the samples')
    parser.add_argument('--plot', type=Path, help='file for a figure')
    return parser.parse_args()


if __name__ == '__main__':
    main()
