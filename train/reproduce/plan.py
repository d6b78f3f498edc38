"""What is trained and evaluated, each after what it needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        name: Its folder's name.
        command: 'fit', 'distill' or 'fit_stereo', the train.* that runs it.
        configs: Files of train/configs, each over the ones before.
        options: Further command line.
        starts_from: {option: name of the model whose checkpoint it takes}.
        steps: Training steps.
        cost: How long it takes, in training steps of a SegDepthFormer with the first backbone.
    """

    name: str
    command: str
    configs: tuple[str, ...]
    options: tuple[str, ...]
    starts_from: Mapping[str, str] = field(default_factory=dict)
    steps: int = 0
    cost: float = 0


@dataclass(frozen=True)
class Model:
    """One trained network, or an ensemble of them, that is evaluated.

    Attributes:
        name: Of its checkpoint: a run's, unless it is an ensemble.
        network: One of emu_model.tasks.NETWORKS.
        backbone: timm name of the encoder.
        method: As tables call it.
        depth_loss: 'gnll', 'mse' or 'huber'.
        seed: Number of the repetition.
        members: Names of an ensemble's runs; empty for a single run.
        variant: Which variant of the test data, of settings.VARIANTS; '' for the usual one.
        cost: How long its evaluation takes, in the unit of Run.cost.
    """

    name: str
    network: str
    backbone: str
    method: str
    depth_loss: str = 'gnll'
    seed: int = 0
    members: tuple[str, ...] = ()
    variant: str = ''
    cost: float = 0

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs it is made of."""
        return self.members or (self.name,)

    @property
    def evaluation(self) -> str:
        """Name of its evaluation."""
        return f'{self.name}-{self.variant}' if self.variant else self.name


Task = Run | Model


@dataclass(frozen=True)
class Plan:
    """Runs by name, and the models that are evaluated, in order."""

    runs: Mapping[str, Run]
    models: tuple[Model, ...]

    def tasks(self) -> list[Task]:
        """Everything to do, each after what it needs, in the order of the models."""
        done: dict[str, Task] = {}
        for model in self.models:
            for run in self.runs_for(model):
                done.setdefault(f'run {run.name}', run)
            done[f'model {model.evaluation}'] = model
        return list(done.values())

    def needs(self, task: Task) -> list[Task]:
        """What has to be done right before a task.

        An ensemble is put together when it is evaluated, so what starts from one needs that.
        """
        if isinstance(task, Model):
            return [self.runs[name] for name in task.runs]
        ensembles = {model.name: model for model in self.models if model.members}
        return [ensembles.get(name) or self.runs[name] for name in task.starts_from.values()]

    def runs_for(self, model: Model) -> list[Run]:
        """Every run that a model needs, each once, in order."""
        runs = {run.name: run for name in model.runs for run in self._with_needs(name)}
        return list(runs.values())

    def _with_needs(self, name: str) -> Iterator[Run]:
        run = self.runs[name]
        for need in run.starts_from.values():
            for needed in self._runs_of(need):
                yield from self._with_needs(needed)
        yield run

    def _runs_of(self, name: str) -> tuple[str, ...]:
        ensembles = {model.name: model.members for model in self.models if model.members}
        return ensembles.get(name, (name,))
