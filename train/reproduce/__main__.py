"""Train and evaluate everything in the EMUFormer paper, and write its tables.

    python -m train.reproduce --data synthetic --backbone mit_b0 --output DIR

What is there already is kept: stopped at any moment, the same command goes on where it stood, and
with --report writes what there is.
DIR gets results.md with the tables, the paper's claims and figures, results.json with every figure
of every network, tables.json, and the networks themselves. What follows `--` is added to the
command line of every training run, as in: -- --data.workers 8 --trainer.accelerator gpu
"""

import argparse
import json
import sys
from pathlib import Path

from train.cli import INTERRUPTED
from train.data import DATASETS
from train.files import write_json
from train.reproduce.estimate import seconds_per_step
from train.reproduce.layout import Layout
from train.reproduce.planner import make_plan
from train.reproduce.progress import Progress, overview
from train.reproduce.report import write_report
from train.reproduce.settings import STUDIES, Settings
from train.reproduce.timing import are_timed, time_models
from train.reproduce.work import Work, work_off


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 after an error, 130 when interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    further = []
    if '--' in arguments:
        split = arguments.index('--')
        arguments, further = arguments[:split], arguments[split + 1 :]
    try:
        return _main(_parse(arguments), further)
    except (OSError, ValueError, RuntimeError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped: the same command goes on from there')
        return INTERRUPTED


def _main(options: argparse.Namespace, further: list[str]) -> int:
    settings = Settings(
        options.data,
        options.root,
        tuple(dict.fromkeys(options.backbone)),
        options.scale,
        options.encoder_weights,
        tuple(options.studies),
        options.seeds,
    )
    settings.check()
    layout = Layout(options.output)
    plan = make_plan(settings)
    progress = Progress(layout, plan.tasks(), seconds_per_step(settings))
    if options.plan:
        print(overview(progress, options.jobs))
        return 0
    if not options.report:
        settings.check_files()
    _keep_settings(layout, settings)
    if not options.report:
        work = Work(layout, settings, options.device, further, logged=options.jobs > 1)
        code = work_off(plan, progress, work, options.jobs)
        if code:
            return code
        models = [model for model in plan.models if not model.variant]
        if not are_timed(layout, models):
            time_models(layout, models, options.device)
    print(f'wrote {write_report(layout, settings, plan, progress)}')
    return 0


def _keep_settings(layout: Layout, settings: Settings) -> None:
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


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m train.reproduce',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', choices=sorted(DATASETS), required=True, help='data set')
    parser.add_argument('--root', type=Path, help='folder of the data set')
    parser.add_argument(
        '--backbone',
        nargs='+',
        default=['mit_b2'],
        help='encoders; the first is studied in full, further ones as baseline, teacher, student',
    )
    parser.add_argument(
        '--scale',
        choices=('quick', 'full', 'large'),
        default='full',
        help='full for results, quick to see that everything works, large (synthetic alone) for '
        'a GPU',
    )
    parser.add_argument(
        '--studies',
        nargs='+',
        choices=STUDIES,
        default=STUDIES,
        help='what to study: student (tables 4 to 7), ablation (9, 10), grid (1 to 3)',
    )
    parser.add_argument(
        '--seeds', type=int, help='repetitions of baseline, fine-tuned baseline and student'
    )
    parser.add_argument(
        '--encoder-weights',
        type=Path,
        metavar='DIR',
        help='folder with <backbone>.safetensors, as python -m emu_model.import_weights writes',
    )
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
    return parser.parse_args(arguments)


if __name__ == '__main__':
    sys.exit(main())
