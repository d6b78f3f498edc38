"""Make an ensemble of trained networks: python -m train.ensemble DIR NETWORK [NETWORK …].

DIR gets ensemble.json, which names the .safetensors files of the members; they stay where they
are. Engines, train.evaluate and train.distill take DIR as a checkpoint.
"""

import argparse
import sys
from pathlib import Path

from emu_model.checkpoint import save_ensemble
from train.errors import print_error


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m train.ensemble',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('folder', type=Path, metavar='DIR', help='folder of the ensemble')
    parser.add_argument(
        'members', type=Path, nargs='+', metavar='NETWORK', help='trained networks'
    )
    options = parser.parse_args(arguments)
    try:
        save_ensemble(options.folder, options.members)
    except (OSError, ValueError) as error:
        print_error(error)
        return 1
    print(f'{options.folder} is an ensemble of {len(options.members)} networks')
    return 0


if __name__ == '__main__':
    sys.exit(main())
