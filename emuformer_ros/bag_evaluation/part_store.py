"""Parts that are done, in files, so that nothing done is lost.

A part's files are written aside and renamed, the one that makes it count last.
"""

import contextlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from emu_model.files import written_aside
from emuformer_ros.bag_evaluation import EvaluationError
from emuformer_ros.bag_evaluation.frame_table import Row
from emuformer_ros.bag_evaluation.measuring import Measured

FOLDER = '.unfinished'
"""Folder of an evaluation that is not finished, in its output folder."""

_IDENTITY = 'options.json'


class PartStore:
    """The parts of an evaluation that are done.

    Args:
        output: The output folder of the evaluation.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output / FOLDER

    def begin(self, identity: dict[str, Any], *, resume: bool) -> None:
        """Start with nothing, or go on with what is there.

        Args:
            identity: What the results depend on, as JSON can hold it.
            resume: Whether to go on.

        Raises:
            EvaluationError: If what is there is of another evaluation, or there is something and
                it is not to be gone on with.
        """
        path = self.folder / _IDENTITY
        if not self.has_parts():
            self.discard()
        if path.exists() and not resume:
            raise EvaluationError(
                f"'{self.folder.parent}' has an evaluation that was interrupted: go on with "
                '--resume, or begin anew with --overwrite'
            )
        if path.exists():
            begun = json.loads(path.read_text())
            changed = [key for key, value in identity.items() if begun.get(key) != value]
            if changed:
                raise EvaluationError(
                    f"the evaluation in '{self.folder.parent}' was begun with other "
                    f'{", ".join(changed)}: repeat the command it was begun with, or begin anew '
                    'with --overwrite'
                )
            return
        with written_aside(path) as partial:
            partial.write_text(json.dumps(identity, indent=2))

    def has_parts(self) -> bool:
        """Whether any part is done."""
        return any(self.folder.glob('part_*.json'))

    def discard(self) -> None:
        """Delete everything; the output folder too where it is empty then."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def is_done(self, part: int) -> bool:
        """Whether a part is done."""
        return self._path(part, 'json').exists()

    def maps_path(self, part: int) -> Path:
        """Where the recording of a part's maps is."""
        return self._path(part, 'mcap')

    def save(self, part: int, measured: Measured) -> None:
        """Keep what was measured; the part is done then.

        Raises:
            OSError: If it cannot be written; the part is not done then.
        """
        arrays = {'thumbnails': measured.thumbnails, **measured.sums}
        with written_aside(self._path(part, 'npz')) as partial:
            np.savez_compressed(partial, **arrays)
        content = {
            'rows': measured.rows,
            'problems': measured.problems,
            'frames_with_depth': measured.frames_with_depth,
            'frames_with_labels': measured.frames_with_labels,
        }
        with written_aside(self._path(part, 'json')) as partial:
            partial.write_text(json.dumps(content))

    def load(self, part: int) -> Measured:
        """What was measured on a part that is done."""
        content = json.loads(self._path(part, 'json').read_text())
        with np.load(self._path(part, 'npz')) as file:
            arrays = {name: file[name] for name in file.files}
        rows: list[Row] = content['rows']
        return Measured(
            rows,
            arrays.pop('thumbnails'),
            arrays,
            Counter(content['problems']),
            content['frames_with_depth'],
            content['frames_with_labels'],
        )

    def _path(self, part: int, suffix: str) -> Path:
        return self.folder / f'part_{part:06d}.{suffix}'
