"""What is trained: each set of tasks with each way of weighting them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations, product

from emu_model.tasks import NETWORKS
from train.reproduce.plan import Model, Plan, Run
from train.weighting.settings import DEPTH_WEIGHTS, INSTANCE_WEIGHTS, WeightingSettings

TASKS = ('semantic', 'depth', 'instance')

SINGLE, EQUAL, FIXED, LEARNED = 'single', 'equal', 'fixed', 'learned'
"""Ways of weighting: one task alone, all weights 1, a point of the grid, homoscedastic."""

_STEP_OF_THE_ENCODER = 0.6
_STEP_OF_A_HEAD = 0.2
_FRAME_OF_METRICS = 0.6
_START = 25.0
_UNIT_PIXELS = 96 * 128
_LOGGED_STEPS = 50
_PRETRAINED = 'pretrained'


@dataclass(frozen=True)
class Trial:
    """A training.

    Attributes:
        tasks: Names of its tasks.
        way: One of SINGLE, EQUAL, FIXED and LEARNED.
        weights: The fixed weights that are not 1.
    """

    tasks: tuple[str, ...]
    way: str
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its run."""
        weights = (f'{task}-{weight:g}' for task, weight in self.weights.items())
        return '_'.join([self.way, *self.tasks, *weights])

    @property
    def network(self) -> str:
        """The network with its tasks, of emu_model.tasks.NETWORKS."""
        return next(name for name, tasks in NETWORKS.items() if tasks == self.tasks)

    def options(self) -> list[str]:
        """Command line of train.fit."""
        weighting = 'homoscedastic' if self.way == LEARNED else 'fixed'
        weights = (f'--model.{task}_weight={weight:g}' for task, weight in self.weights.items())
        return [f'--model.network={self.network}', f'--model.loss_weighting={weighting}', *weights]


def make_trials() -> list[Trial]:
    """Every training of the experiment, what says most first."""
    pairs = list(combinations(TASKS, 2))
    grid = product(DEPTH_WEIGHTS[1:-1], INSTANCE_WEIGHTS)
    return [
        *(Trial((task,), SINGLE) for task in TASKS),
        Trial(TASKS, EQUAL),
        Trial(TASKS, LEARNED),
        *(Trial(pair, LEARNED) for pair in pairs),
        *(Trial(('semantic', 'depth'), FIXED, {'depth': weight}) for weight in DEPTH_WEIGHTS),
        *(Trial(TASKS, FIXED, {'depth': depth, 'instance': near}) for depth, near in grid),
    ]


def make_plan(settings: WeightingSettings) -> Plan:
    """The trainings and their evaluations."""
    trials = make_trials()
    runs = {trial.name: _run(trial, settings) for trial in trials}
    if _pretrains(settings):
        runs = {_PRETRAINED: _pretraining(settings), **runs}
    models = tuple(
        Model(
            trial.name,
            trial.network,
            settings.backbones[0],
            trial.way,
            'l1',
            cost=_START + (settings.scale.test_frames or 0) * _frame_cost(settings),
        )
        for trial in trials
    )
    return Plan(runs, models)


def _pretrains(settings: WeightingSettings) -> bool:
    return settings.encoder_weights is None and settings.scale.pretrain_steps > 0


def _pretraining(settings: WeightingSettings) -> Run:
    """The encoder on other scenes that stands in for ImageNet weights."""
    options = [f'--model.recipe={_PRETRAINED}', '--data.train_split=pretrain']
    trial = Trial(TASKS, LEARNED)
    return _make_run(_PRETRAINED, trial, settings, settings.scale.pretrain_steps, options, {})


def _run(trial: Trial, settings: WeightingSettings) -> Run:
    options, starts_from = [f'--model.recipe={trial.way}'], {}
    if settings.encoder_weights is not None:
        weights = settings.encoder_weights / f'{settings.backbones[0]}.safetensors'
        options.append(f'--model.encoder_weights={weights}')
    elif _pretrains(settings):
        starts_from['model.encoder_weights'] = _PRETRAINED
    return _make_run(trial.name, trial, settings, settings.scale.steps, options, starts_from)


def _make_run(
    name: str,
    trial: Trial,
    settings: WeightingSettings,
    wanted_steps: int | None,
    further: list[str],
    starts_from: Mapping[str, str],
) -> Run:
    configs = (f'{settings.config}.yaml', 'method/inverse_depth.yaml')
    steps = settings.steps(configs, wanted_steps)
    options = [
        f'--model.backbone={settings.backbones[0]}',
        f'--trainer.max_steps={steps}',
        f'--trainer.val_check_interval={max(1, steps // settings.scale.validations)}',
        f'--trainer.log_every_n_steps={max(1, steps // _LOGGED_STEPS)}',
        # The loss that a step would be chosen by means something else with each weight.
        '--keep=last',
        *settings.data_options(),
        *trial.options(),
        *further,
    ]
    step = _STEP_OF_THE_ENCODER + _STEP_OF_A_HEAD * len(trial.tasks)
    frames = 2 * (settings.scale.validation_frames or 0)
    cost = _START + steps * step * _size(settings) + frames * _frame_cost(settings)
    return Run(name, 'fit', configs, tuple(options), starts_from, steps, cost)


def _frame_cost(settings: WeightingSettings) -> float:
    return _FRAME_OF_METRICS * _size(settings)


def _size(settings: WeightingSettings) -> float:
    """Pixels of a frame over those that the unit of cost is of."""
    height, width = settings.scale.frame_size or (128, 256)
    return height * width / _UNIT_PIXELS
