"""Where everything of an experiment lies in its folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emu_model import checkpoint
from train.cli import NETWORK_FILE


@dataclass(frozen=True)
class Layout:
    """The folder of an experiment.

    Attributes:
        root: The folder.
    """

    root: Path

    def run(self, name: str) -> Path:
        """Folder of a run."""
        return self.root / 'runs' / name

    def network(self, run: str) -> Path:
        """The network that a run leaves; it is there when the run is finished."""
        return self.run(run) / NETWORK_FILE

    def checkpoint(self, model: str, members: Iterable[str] = ()) -> Path:
        """The checkpoint of a model; with members, the folder of an ensemble, written here."""
        members = [self.network(member) for member in members]
        folder = self.root / 'ensembles' / model
        if members:
            checkpoint.save_ensemble(folder, members)
        return folder if folder.is_dir() else self.network(model)

    def figures(self, model: str) -> Path:
        """JSON of a model's evaluation; it is there when the evaluation is finished."""
        return self.root / 'evaluations' / f'{model}.json'

    def frames(self, model: str) -> Path:
        """What each test frame added to a model's evaluation."""
        return self.root / 'evaluations' / f'{model}.npz'

    def curves(self, model: str) -> Path:
        """JSON of the curves of a model's evaluation."""
        return self.root / 'evaluations' / f'{model}.curves.json'

    def log(self, task: str) -> Path:
        """What a task printed, where several are done at a time."""
        return self.root / 'logs' / f'{task.replace(" ", "-")}.log'

    @property
    def durations(self) -> Path:
        """How long each finished task took."""
        return self.root / 'durations.json'

    @property
    def times(self) -> Path:
        """How long each model takes for a frame, all measured together."""
        return self.root / 'times.json'

    @property
    def settings(self) -> Path:
        """What was asked for when the folder was made."""
        return self.root / 'settings.json'
