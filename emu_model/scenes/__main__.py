"""Draws a sheet of the synthetic scenes: pictures, ground truth, stereo, motion and shifts."""

import argparse
import sys
from pathlib import Path

from emu_model.scenes.contact_sheet import contact_sheet


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='python -m emu_model.scenes', description=__doc__)
    parser.add_argument('output', type=Path, help='picture to write, such as scenes.png')
    parser.add_argument('--seed', type=int, default=0, help='first seed shown (default: 0)')
    parser.add_argument(
        '--size', default='240x320', metavar='HxW', help='size of each picture (default: 240x320)'
    )
    options = parser.parse_args(arguments)
    try:
        height, width = _size(options.size)
        figure = contact_sheet(options.seed, height, width)
        figure.savefig(options.output)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{options.output}: seeds {options.seed} to {options.seed + 5}, {height}x{width}')
    return 0


def _size(text: str) -> tuple[int, int]:
    height, cross, width = text.partition('x')
    if not (cross and height.isdigit() and width.isdigit()):
        raise ValueError(f"--size is '{text}', expected height x width such as 240x320")
    return int(height), int(width)


if __name__ == '__main__':
    sys.exit(main())
