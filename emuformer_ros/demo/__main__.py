"""Command line of the demo."""

import argparse
import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from emu_model.checkpoint import BUNDLED, CheckpointError
from emuformer_ros.arguments import count, positive
from emuformer_ros.bags.reading import BagError
from emuformer_ros.demo import DemoError
from emuformer_ros.demo.isolation import free_domain_id, isolate

_INTERRUPTED = 130
_LAST_DOMAIN = 232


def main(arguments: list[str] | None = None) -> int:
    """Run the demo that the command line describes; 0 where every paced frame came out."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.topic and not options.bag:
        parser.error('--topic names a topic of a recording: give --bag too')
    console = Console()
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        console.print(
            f'[red]error:[/] ROS 2 for Python does not import ({error}): use `make demo`, which '
            'installs it, or source a ROS 2 installation',
            highlight=False,
        )
        return 1
    from emuformer_ros.demo.run import Options, run_demo

    # Whoever ends the demo must not leave the node behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        domain_id = free_domain_id() if options.domain_id is None else options.domain_id
        isolate(domain_id)
        console.print(f'ROS 2 domain {domain_id}, on this machine alone', highlight=False)
        return run_demo(Options(**vars(options)), console)
    except (DemoError, BagError, CheckpointError, ImportError, OSError) as error:
        console.print('[red]error:[/]', end=' ')
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print('interrupted: no results were written')
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m emuformer_ros.demo',
        description='Play camera images through the perception node over ROS 2 and leave its maps '
        '(maps.mcap), pictures (overview.png) and figures (summary.json).',
    )
    parser.add_argument(
        '--bag',
        type=_path,
        help='recording to play (rosbag2 SQLite or MCAP, or ROS 1); a synthetic drive by default',
    )
    parser.add_argument(
        '--topic', help='image topic in it, raw or compressed; needed where there are several'
    )
    parser.add_argument(
        '--rate',
        type=positive,
        metavar='HZ',
        help='play at this rate, and see what the node drops; by default each frame waits for the '
        'maps of the one before',
    )
    parser.add_argument('--frames', type=count, help='play this many frames, 100 of the drive')
    parser.add_argument(
        '--checkpoint', type=_path, default=BUNDLED, help='the bundled one by default'
    )
    parser.add_argument('--output', type=_path, default=Path('demo_output'), help='%(default)s')
    parser.add_argument(
        '--domain-id',
        type=_domain_id,
        metavar='N',
        help='ROS 2 domain, 0 to 232; by default one that nobody on this machine uses',
    )
    return parser


def _domain_id(text: str) -> int:
    """A ROS 2 domain: the ports of a higher one than 232 would lie beyond 65535."""
    if not text.isdecimal() or int(text) > _LAST_DOMAIN:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no ROS 2 domain: give a whole number from 0 to {_LAST_DOMAIN}"
        )
    return int(text)


def _path(text: str) -> Path:
    """A path, also from a shell that leaves the tilde in BAG=~/recording as it is."""
    return Path(os.path.expanduser(text))


if __name__ == '__main__':
    sys.exit(main())
