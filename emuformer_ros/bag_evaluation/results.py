"""The files that an evaluation leaves, made of its parts."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from emuformer_ros.bag_evaluation.alarms import mark_alarms
from emuformer_ros.bag_evaluation.comparison import FRAMES, METRICS, Comparison
from emuformer_ros.bag_evaluation.frame_table import write_table
from emuformer_ros.bag_evaluation.job import Job
from emuformer_ros.bag_evaluation.map_bag import maps_file
from emuformer_ros.bag_evaluation.mcap_joining import join_mcap
from emuformer_ros.bag_evaluation.report import Report, write_report
from emuformer_ros.bag_evaluation.selection import Selection, write_selection
from emuformer_ros.bag_evaluation.summary import Totals, summarise

REPORT, SELECTION = 'report.html', 'selection'


def write_results(
    job: Job, comparison: Comparison | None = None, selection: Selection | None = None
) -> dict[str, Any]:
    """Write everything aside and rename it when all is whole, metrics.json last.

    Args:
        job: An evaluation, all of its parts done.
        comparison: Another evaluation to compare with.
        selection: Frames to select.

    Returns:
        The content of metrics.json.

    Raises:
        OSError: If something cannot be written; results that were there before are still there.
    """
    aside = job.store.folder / 'results'
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    totals = Totals(job.perception.engine.info)
    for part in job.parts:
        totals.add(job.store.load(part.number))
    rises = mark_alarms(totals.rows, totals.info)
    write_table(aside / FRAMES, totals.rows)
    if job.options.write_maps:
        for bag in job.bags:
            own = [part.number for part in job.parts if part.bag == bag.number]
            join_mcap(
                [job.store.maps_path(number) for number in own],
                aside / maps_file(bag.name, len(job.bags)),
            )
    chosen = None
    if selection is not None:
        thumbnails = np.concatenate(totals.thumbnails)
        chosen = write_selection(aside / SELECTION, totals.rows, thumbnails, selection, job)
    summary = summarise(job, totals, rises)
    report = Report(job.options, job.bags, totals, rises, summary, comparison, chosen)
    write_report(aside / REPORT, report, job.perception)
    (aside / METRICS).write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    _publish(aside, job.output)
    return summary


def _publish(aside: Path, output: Path) -> None:
    """Move results to where they belong, that which says that they are whole last."""
    (output / METRICS).unlink(missing_ok=True)
    for old in (output / REPORT, output / FRAMES, output / SELECTION, *output.glob('maps*.mcap')):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    for path in sorted(aside.iterdir(), key=lambda path: path.name == METRICS):
        os.replace(path, output / path.name)
