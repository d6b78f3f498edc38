"""How long the node takes from its start to the maps of its first frame.

    python benchmarks/start.py

The first start compiles the network into an empty cache, the others load it from there. Counted
from before the process begins to the arrival of the fourth map over DDS; the own start of
the benchmark, beside that of the node, counts where it is slower.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.node_rig import NodeRig

_DIAGNOSTICS_PERIOD_S = 0.1


def seconds_to_first_maps(size: tuple[int, int], checkpoint: Path | None) -> float:
    """Start the node and send it a frame as soon as it listens.

    Raises:
        RuntimeError: If no maps come.
    """
    parameters = {'diagnostics_period_s': str(_DIAGNOSTICS_PERIOD_S)}
    if checkpoint is not None:
        parameters['checkpoint'] = str(checkpoint)
    start = time.monotonic()
    with NodeRig(size, parameters) as rig:
        frame = rig.send()
        if not rig.wait_for(frame):
            raise RuntimeError('no maps came within half a minute of the first frame')
        return max(frame.arrived_s.values()) - start


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--height', type=int, default=480)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--checkpoint', type=Path, help='the bundled one by default')
    parser.add_argument('--starts', type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ['EMUFORMER_CACHE'] = cache
        for number in range(1, options.starts + 1):
            seconds = seconds_to_first_maps((options.height, options.width), options.checkpoint)
            print(f'start {number}: {seconds:.2f} s')


if __name__ == '__main__':
    main()
