"""What the commands have in common that work off a plan."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from train.data import DATASETS
from train.errors import INTERRUPTED, print_error
from train.files import write_json
from train.reproduce.layout import Layout
from train.reproduce.plan import Plan
from train.reproduce.progress import Progress, overview
from train.reproduce.settings import Settings
from train.reproduce.work import Work, work_off


def run_command(
    arguments: Sequence[str] | None,
    parse: Callable[[list[str]], argparse.Namespace],
    command: Callable[[argparse.Namespace, list[str]], int],
) -> int:
    """Run a command whose arguments after `--` are those of every training.

    Args:
        arguments: The command line; the process's own by default.
        parse: Makes options of what stands before `--`.
        command: Takes the options and what stands after it; returns the exit code.

    Returns:
        The exit code: 0, 1 after an error, which is printed, 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    further = []
    if '--' in arguments:
        split = arguments.index('--')
        arguments, further = arguments[:split], arguments[split + 1 :]
    try:
        return command(parse(arguments), further)
    except (MisconfigurationException, OSError, ValueError, RuntimeError) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        print('stopped: the same command goes on from there')
        return INTERRUPTED


def carry_out(
    options: argparse.Namespace,
    further: Sequence[str],
    settings: Settings,
    plan: Plan,
    seconds_per_unit: float | None,
    write_report: Callable[[Layout, Settings, Plan, Progress], object],
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
) -> int:
    """Show a plan, work it off or report on it, as the options of `add_work_options` say.

    Args:
        options: The options.
        further: Command line that is added to every training.
        settings: Of the experiment, checked.
        plan: What there is to do.
        seconds_per_unit: First guess at the seconds of the unit of cost; None where nothing is
            known.
        write_report: Writes what has been found; returns what it wrote.
        before: What else to do before the tasks.
        after: What else to do after them.

    Returns:
        The exit code: that of the first task that failed, else 0.
    """
    layout = Layout(options.output)
    progress = Progress(layout, plan.tasks(), seconds_per_unit)
    if options.plan:
        print(overview(progress, options.jobs))
        return 0
    if not options.report:
        settings.check_files()
    keep_settings(layout, settings)
    if not options.report:
        if before:
            before()
        work = Work(layout, settings, options.device, further, logged=options.jobs > 1)
        code = work_off(plan, progress, work, options.jobs)
        if code:
            return code
        if after:
            after()
    print(f'wrote {write_report(layout, settings, plan, progress)}')
    return 0


def add_data_options(parser: argparse.ArgumentParser, data: Sequence[str] = ()) -> None:
    """Add what is trained on.

    Args:
        parser: Of the command.
        data: Names of the data sets; all by default.
    """
    parser.add_argument('--data', choices=sorted(data or DATASETS), required=True, help='data set')
    parser.add_argument('--root', type=Path, help='folder of the data set')
    parser.add_argument(
        '--encoder-weights',
        type=Path,
        metavar='DIR',
        help='folder with <backbone>.safetensors, as python -m emu_model.import_weights writes',
    )


def add_scale_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of two sizes."""
    parser.add_argument(
        '--scale',
        choices=('quick', 'full'),
        default='full',
        help='full for results, quick to see that everything works',
    )


def add_scene_options(parser: argparse.ArgumentParser) -> None:
    """Add what an experiment on synthetic scenes alone is made of."""
    parser.add_argument('--root', type=Path, help='where rendered scenes are kept')
    add_scale_option(parser)


def add_work_options(parser: argparse.ArgumentParser) -> None:
    """Add how the plan is worked off."""
    parser.add_argument(
        '--jobs',
        type=_number_of_jobs,
        default=1,
        help='tasks at a time, each with its share of the cores and its output in logs/; '
        'two small trainings side by side are faster than one after the other on two cores',
    )
    parser.add_argument('--device', default='auto', help="of evaluation: 'auto', 'cpu', 'cuda:N'")
    parser.add_argument(
        '--plan', action='store_true', help='show what would be done and how long, and exit'
    )
    parser.add_argument(
        '--report', action='store_true', help='write what has been found so far, and exit'
    )
    parser.add_argument('--output', type=Path, required=True, help='folder of the experiment')


def keep_settings(layout: Layout, settings: Settings) -> None:
    """Note what a folder is for, so that nothing else is mixed in.

    Raises:
        ValueError: If it is for something else.
    """
    wanted = settings.to_json()
    if layout.settings.is_file():
        there = json.loads(layout.settings.read_text())
        changed = [
            f'{key} {there.get(key)} instead of {wanted[key]}'
            for key in wanted
            if there.get(key) != wanted[key]
        ]
        if changed:
            raise ValueError(
                f"'{layout.root}' holds another experiment, with {', '.join(changed)}: give "
                'another --output, or remove it'
            )
    write_json(layout.settings, wanted)


def _number_of_jobs(text: str) -> int:
    jobs = int(text)
    if jobs < 1:
        raise argparse.ArgumentTypeError(f'{jobs} tasks at a time: give at least 1')
    return jobs
