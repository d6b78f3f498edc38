"""Train the checkpoint that comes with the package: python -m train.bundle --output DIR.

A SegDepthFormer-B0 on synthetic street and indoor scenes, first small, then at twice the
resolution. DIR keeps both runs; a stopped one goes on when the command is given again. DEST, the
bundled file by default, gets the network in half precision with its figures.
"""

import argparse
import sys
from pathlib import Path

import emu_model
from emu_model import checkpoint
from emu_model.checkpoint import BUNDLED
from train.cli import NETWORK_FILE, run
from train.module import NetworkModule

CONFIGS = Path(__file__).parent / 'configs' / 'bundled'
STAGES = ('small', 'large')


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m train.bundle',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--output', type=Path, required=True, help='folder of the runs')
    parser.add_argument('--dest', type=Path, default=BUNDLED, help='checkpoint to write')
    parser.add_argument(
        'options', nargs='*', help='further options of both runs, as in train.fit, after --'
    )
    options = parser.parse_args(arguments)
    trained: list[str] = []
    for stage in STAGES:
        folder = options.output / stage
        command = [f'--config={CONFIGS / stage}.yaml', f'--output={folder}', *trained]
        code = run(NetworkModule, __doc__, [*command, *options.options])
        if code:
            return code
        trained = [f'--model.initial_weights={folder / NETWORK_FILE}']
    network = emu_model.load(options.output / STAGES[-1] / NETWORK_FILE)
    checkpoint.save(network, network.info, options.dest, half=True)
    print(f'wrote {options.dest}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
