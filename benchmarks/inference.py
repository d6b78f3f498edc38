"""How fast each engine is, next to the plain network, a peer, an ensemble and the arithmetic.

    python benchmarks/inference.py --backbone mit_b2 --height 480 --width 640 --classes 40 \
        --json FILE [--markdown FILE] [--plot FILE]

All candidates run in turn, round after round, from a uint8 frame to maps as NumPy arrays, so that
whatever else the machine does falls on all of them. Peak memory is that of a process of its own
for each candidate, weights and runtime included.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.candidates import CANDIDATES, Setting, add_setting_options, make_checkpoint
from benchmarks.floor import arithmetic_floor_ms, count_macs
from benchmarks.report import write_markdown, write_plot
from emu_model.processor import processor_name
from emuformer_ros.health.process_usage import process_usage

ENSEMBLE = 'plain ensemble of ten'


@dataclass(frozen=True)
class Result:
    """One candidate's figures.

    Attributes:
        name: What ran.
        engine: The runtime; empty for what is no engine.
        precision: What it computed in.
        median_ms: Median time per frame.
        low_ms: Fastest tenth of the runs ends here.
        high_ms: Slowest tenth of the runs starts here.
        runs: How many times it ran.
        ratio_to_plain: How many times faster than the plain network.
        ratio_to_encoder: Time in units of the encoder alone on the same engine and precision.
        peak_mb: Peak memory of a process that runs it alone.
    """

    name: str
    engine: str
    precision: str
    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    ratio_to_plain: float
    ratio_to_encoder: float | None
    peak_mb: float | None


def measure(runs: dict[str, Callable[[], object]], rounds: int, slow: set[str]) -> dict:
    """Milliseconds of every run of every candidate; the slow ones run in every fifth round."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run()
    for index in range(rounds):
        for name, run in runs.items():
            if name in slow and index % 5:
                continue
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
        print(f'round {index + 1} of {rounds}', end='\r', file=sys.stderr, flush=True)
    return times


def peak_memory_mb(name: str, arguments: list[str]) -> float | None:
    """Peak memory of a fresh process that makes one candidate and runs it three times."""
    command = [sys.executable, __file__, '--memory-of', name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def summarise(setting: Setting, times: dict, peaks: dict) -> list[Result]:
    """The figures of all candidates."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    encoders = {
        (CANDIDATES[name].engine, CANDIDATES[name].precision): median
        for name, median in medians.items()
        if CANDIDATES[name].encoder_alone
    }
    results = []
    for name, values in times.items():
        candidate = CANDIDATES[name]
        encoder = encoders.get((candidate.engine, candidate.precision))
        low, high = np.quantile(values, [0.1, 0.9])
        results.append(
            Result(
                name,
                candidate.engine,
                candidate.precision,
                round(medians[name], 2),
                round(float(low), 2),
                round(float(high), 2),
                len(values),
                round(medians['plain network'] / medians[name], 2),
                round(medians[name] / encoder, 2) if encoder else None,
                peaks.get(name),
            )
        )
    macs = count_macs(setting)
    for precision in ('fp32', 'bf16'):
        floor = arithmetic_floor_ms(macs, precision)
        ratio = round(medians['plain network'] / floor, 2)
        results.append(
            Result('arithmetic floor', '', precision, *[round(floor, 2)] * 3, 0, ratio, None, None)
        )
    return results


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_setting_options(parser)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument(
        '--only', nargs='+', choices=CANDIDATES, help='all that run here by default'
    )
    parser.add_argument('--no-memory', action='store_true', help='do not measure peak memory')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--markdown', type=Path)
    parser.add_argument('--plot', type=Path)
    parser.add_argument('--memory-of', choices=CANDIDATES, help=argparse.SUPPRESS)
    parser.add_argument('--checkpoint', type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint or Path(folder) / 'network.safetensors'
        setting = Setting.of(options, checkpoint)
        if options.memory_of:
            run = CANDIDATES[options.memory_of].make(setting)
            for _ in range(3):
                run()
            print(process_usage().peak_memory_mb)
            return
        make_checkpoint(setting)
        names = options.only or [name for name, one in CANDIDATES.items() if one.runs_here()]
        if 'plain network' not in names:
            names.insert(0, 'plain network')
        runs = {name: CANDIDATES[name].make(setting) for name in names}
        times = measure(runs, options.rounds, {ENSEMBLE})
        peaks = {}
        if not options.no_memory:
            arguments = [f'--{field}={value}' for field, value in setting.arguments().items()]
            peaks = {name: peak_memory_mb(name, arguments) for name in names}
        results = summarise(setting, times, peaks)
    for result in results:
        print(f'{result.median_ms:9.1f} ms  {result.ratio_to_plain:7.1f}x  {result.name}')
    machine = f'{processor_name()}, {setting.threads} threads'
    title = f'{setting.backbone}, {setting.height}x{setting.width}, {setting.classes} classes'
    if options.json:
        options.json.write_text(
            json.dumps([asdict(result) for result in results], indent=2) + '\n'
        )
    if options.markdown:
        write_markdown(results, f'{title}; {machine}', options.markdown)
    if options.plot:
        write_plot(results, title, options.plot)


if __name__ == '__main__':
    main()
