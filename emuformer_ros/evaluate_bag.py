"""Evaluate a checkpoint on recordings: how good, how sure, how fast, on one page.

    python -m emuformer_ros.evaluate_bag BAG... --output DIR

BAG is a rosbag2 folder, or a .mcap, .db3 or .bag file. It needs no ROS installation. In DIR it
leaves report.html, metrics.json, frames.csv and maps.mcap; docs/bag_evaluation.md describes them.

Exit code: 0; 1 for an error; 2 for a wrong command line; 3 where everything was written but some
of the recording could not be used; 130 where it was interrupted, and --resume goes on.
"""

import argparse
import errno
import signal
import sys
from pathlib import Path

from rich.console import Console

from emu_model.checkpoint import BUNDLED, CheckpointError
from emu_model.engines import ENGINES, PRECISIONS
from emuformer_ros.arguments import count, image_size, positive, seconds
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.options import Options
from emuformer_ros.bag_evaluation.part_store import PartStore
from emuformer_ros.bag_evaluation.results import REPORT
from emuformer_ros.bag_evaluation.run import Outcome, Request, run
from emuformer_ros.bag_evaluation.selection import CRITERIA, Selection
from emuformer_ros.bags.reading import BagError

OK, FAILED, INCOMPLETE, INTERRUPTED = 0, 1, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = _parser()
    request = _request(parser, parser.parse_args(arguments))
    console = Console()
    # Whoever ends the evaluation kindly may go on with it later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _report(run(request, console), request, console)
    except KeyboardInterrupt:
        _print(console, f'interrupted{_kept(request)}')
        return INTERRUPTED
    except (EvaluationError, BagError, CheckpointError) as error:
        _print(console, f'error: {error}')
        return FAILED
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = f"the disk of '{request.output}' is full, make room" if is_full else error
        _print(console, f'error: {reason}{_kept(request)}')
        return FAILED


def _report(outcome: Outcome, request: Request, console: Console) -> int:
    summary = outcome.summary
    speed = summary['inference_ms']
    _print(
        console,
        f'{summary["frames"]} frames, {speed["median"] or 0:.1f} ms each (median) with '
        f'{speed["engine"]} on {speed["device"]}: {request.output / REPORT}',
    )
    for lost in outcome.lost:
        _print(console, f'not evaluated: {lost}')
    return INCOMPLETE if outcome.lost else OK


def _kept(request: Request) -> str:
    if not PartStore(request.output).has_parts():
        return ''
    return ': what is done is kept, --resume goes on with it'


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _request(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Request:
    if options.by and options.select is None:
        parser.error('--by says what --select goes by: give --select too')
    if options.ray_workers and options.ray is None:
        parser.error('--ray-workers needs --ray')
    if options.ray is not None and options.device.startswith('cuda:'):
        parser.error(
            f'--device {options.device} is one GPU, and with --ray each engine has its own: give '
            '--device cuda'
        )
    if options.start is not None and options.end is not None and options.end < options.start:
        parser.error(f'--end {options.end} is before --start {options.start}')
    evaluated = Options(
        bags=tuple(options.bags),
        image_topic=options.image_topic,
        depth_topic=options.depth_topic,
        label_topic=options.label_topic,
        rectified=options.rectified,
        checkpoint=options.checkpoint,
        engine=options.engine,
        device=options.device,
        precision=options.precision,
        network_size=options.network_size,
        output_size=options.output_size,
        batch_size=options.batch_size,
        every=options.every,
        start_s=options.start,
        end_s=options.end,
        tolerance_s=options.tolerance,
        max_depth_m=options.max_depth,
        write_maps=not options.no_maps,
    )
    selection = Selection(options.select, options.by or 'semantic') if options.select else None
    return Request(
        evaluated,
        options.output,
        resume=options.resume,
        overwrite=options.overwrite,
        compare=options.compare,
        selection=selection,
        ray=options.ray,
        ray_workers=options.ray_workers,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m emuformer_ros.evaluate_bag',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bags', type=Path, nargs='+', metavar='BAG', help='recordings')
    parser.add_argument('--output', type=Path, required=True, help='folder for the results')

    topics = parser.add_argument_group('topics')
    topics.add_argument(
        '--image-topic', metavar='T', help='the camera; needed if there are several'
    )
    topics.add_argument(
        '--depth-topic',
        metavar='T',
        help="measured depth, 16UC1 in mm or 32FC1 in m, aligned to the camera; 'none' for none",
    )
    topics.add_argument(
        '--label-topic',
        metavar='T',
        help="labelled classes, mono8 with the checkpoint's ids (255: none); 'none' for none",
    )
    topics.add_argument(
        '--rectified',
        action='store_true',
        help='the images are rectified and the CameraInfo is of the raw ones: depth goes by its P',
    )
    topics.add_argument(
        '--tolerance',
        type=seconds,
        default=0.02,
        metavar='S',
        help='how far the stamps of image and ground truth may lie apart (default: %(default)s s)',
    )
    topics.add_argument(
        '--max-depth',
        type=positive,
        metavar='M',
        help="measured depth beyond it does not count; by default, beyond the checkpoint's range",
    )

    frames = parser.add_argument_group('frames')
    frames.add_argument('--every', type=count, default=1, metavar='N', help='every N-th frame')
    frames.add_argument('--start', type=seconds, metavar='S', help='seconds into the bag')
    frames.add_argument('--end', type=seconds, metavar='S', help='seconds into the bag')

    model = parser.add_argument_group('model')
    model.add_argument(
        '--checkpoint', type=Path, default=BUNDLED, help='the bundled one by default'
    )
    model.add_argument('--engine', choices=ENGINES, default='auto')
    model.add_argument('--device', default='auto', help="'auto', 'cpu', 'cuda' or 'cuda:N'")
    model.add_argument('--precision', choices=PRECISIONS, default='auto')
    model.add_argument(
        '--network-size',
        type=image_size,
        metavar='HxW',
        help="size that frames are resized to; the checkpoint's by default",
    )
    model.add_argument(
        '--output-size', choices=('camera', 'network'), default='camera', help='size of the maps'
    )
    model.add_argument(
        '--batch-size', type=count, metavar='N', help='frames at a time; 1 on a CPU, 8 on a GPU'
    )

    results = parser.add_argument_group('results')
    results.add_argument('--no-maps', action='store_true', help='do not write maps.mcap')
    results.add_argument('--compare', type=Path, metavar='DIR', help='results to compare with')
    results.add_argument(
        '--select', type=count, metavar='K', help='write the K frames most worth labelling'
    )
    results.add_argument(
        '--by', choices=CRITERIA, help='uncertainty that --select goes by (default: semantic)'
    )
    again = results.add_mutually_exclusive_group()
    again.add_argument('--resume', action='store_true', help='go on after an interruption')
    again.add_argument('--overwrite', action='store_true', help='replace results and begin anew')

    machines = parser.add_argument_group('machines')
    machines.add_argument(
        '--ray',
        nargs='?',
        const='',
        metavar='ADDRESS',
        help='spread over a Ray cluster; without an address, one on this machine',
    )
    machines.add_argument(
        '--ray-workers', type=count, metavar='N', help='engines at a time; one per machine'
    )
    return parser


if __name__ == '__main__':
    sys.exit(main())
