"""What the time of the OpenVINO engine goes to.

    python benchmarks/openvino_parts.py --backbone mit_b2

The parts of one frame: the encoder with the projections of the coarser levels, the heads, the
maps, and what is left (copies and calls).
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.candidates import FOUR_MAPS, Setting, add_setting_options, make_checkpoint
from benchmarks.floor import count_macs
from emu_model.engines import create_engine, openvino_engine
from emu_model.engines.strips import HeadStrips, TailStrips

PARTS = ('encoder and projections', 'heads', 'maps')


def measure(setting: Setting, precision: str, rounds: int) -> dict[str, float]:
    """Median milliseconds of each part, of the rest and of the whole."""
    engine = create_engine(setting.checkpoint, 'openvino', 'cpu', precision=precision)
    frame, spent = setting.frame(), dict.fromkeys(PARTS, 0.0)

    def timed(part: str, function: Callable) -> Callable:
        @wraps(function)
        def run(*arguments: object) -> object:
            start = time.perf_counter()
            result = function(*arguments)
            spent[part] += 1e3 * (time.perf_counter() - start)
            return result

        return run

    engine.predict(frame, outputs=FOUR_MAPS)
    plan = engine._plan(frame.shape[:2])
    plan._request = _Timed(plan._request, timed)
    HeadStrips.run, TailStrips.run = (
        timed(part, each.run) for part, each in zip(PARTS[1:], (HeadStrips, TailStrips))
    )
    found = {part: [] for part in (*PARTS, 'rest', 'whole')}
    for _ in range(rounds):
        spent.update(dict.fromkeys(PARTS, 0.0))
        start = time.perf_counter()
        engine.predict(frame, outputs=FOUR_MAPS)
        whole = 1e3 * (time.perf_counter() - start)
        for part, value in {**spent, 'rest': whole - sum(spent.values()), 'whole': whole}.items():
            found[part].append(value)
    HeadStrips.run, TailStrips.run = (each.run.__wrapped__ for each in (HeadStrips, TailStrips))
    engine.close()
    return {part: statistics.median(values) for part, values in found.items()}


class _Timed:
    """An inference request whose runs are timed as the first part."""

    def __init__(self, request: 'openvino_engine.ov.InferRequest', timed: Callable) -> None:
        self._request = request
        self.infer = timed(PARTS[0], request.infer)

    def __getattr__(self, name: str) -> object:
        return getattr(self._request, name)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_setting_options(parser)
    parser.add_argument('--precisions', nargs='+', default=['fp32', 'bf16'])
    parser.add_argument('--rounds', type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting.of(options, Path(folder) / 'network.safetensors')
        make_checkpoint(setting)
        found = {each: measure(setting, each, options.rounds) for each in options.precisions}
        macs = [count_macs(setting, part) / 1e9 for part in ('', 'backbone')]
    print(f'| ms | {" | ".join(found)} |\n|---|{"---|" * len(found)}')
    for part in (*PARTS, 'rest', 'whole'):
        print(f'| {part} | {" | ".join(f"{times[part]:.0f}" for times in found.values())} |')
    print("{:.1f} billion multiply-adds, {:.1f} of them the encoder's".format(*macs))


if __name__ == '__main__':
    main()
