"""The paper's experiments on one data set, as a plan."""

from collections.abc import Mapping
from dataclasses import replace

from train.reproduce.estimate import evaluation_cost, training_cost
from train.reproduce.plan import Model, Plan, Run
from train.reproduce.settings import VARIANTS, Settings

SINGLE_TASK_NETWORKS = ('SegFormer', 'DepthFormer')
MULTI_TASK_NETWORK = 'SegDepthFormer'
_TEACHER_CONFIGS = ('synthetic',)
"""Data sets with a configuration of what the teacher is shown."""


def make_plan(settings: Settings) -> Plan:
    """The paper's experiments on one data set.

    The first backbone gets every study; further ones the baseline, the teacher and the student
    (tables 6 and 7). What is worth most comes first.

    Args:
        settings: Data set, backbones and size.
    """
    planner = _Planner(settings)
    first, *further = settings.backbones
    # Whatever is studied, students start from the grid's first network, and its ensemble, which
    # is put together when it is evaluated, teaches them.
    planner.add_ensemble(MULTI_TASK_NETWORK, first)
    if 'student' in settings.studies:
        planner.add_students(first)
        planner.add_controls(first)
    if 'ablation' in settings.studies:
        planner.add_ablation(first)
    if 'grid' in settings.studies:
        for network in SINGLE_TASK_NETWORKS:
            planner.add_ensemble(network, first)
        for network in (MULTI_TASK_NETWORK, *SINGLE_TASK_NETWORKS):
            planner.add_sampling_methods(network, first)
    if 'student' in settings.studies:
        for backbone in further:
            planner.add_ensemble(MULTI_TASK_NETWORK, backbone)
            planner.add_student(backbone, 0)
    return Plan(planner.runs, tuple(planner.models.values()))


class _Planner:
    """Adds runs and models to a plan."""

    def __init__(self, settings: Settings) -> None:
        self.runs: dict[str, Run] = {}
        self.models: dict[str, Model] = {}
        self._settings = settings
        self._scale = settings.scale

    def add_students(self, backbone: str) -> None:
        """EMUFormer from each seed, with the baseline that it starts from."""
        self.add_student(backbone, 0)
        for seed in range(1, self._scale.seeds):
            # A member of the ensemble is a baseline with another seed.
            name = self._baseline(backbone, seed)
            self._add_model(name, MULTI_TASK_NETWORK, 'single', backbone, seed=seed)
            self.add_student(backbone, seed)

    def add_ensemble(self, network: str, backbone: str) -> None:
        """A single network, and the deep ensemble that it is the first member of."""
        count = max(self._scale.members, self._scale.seeds)
        members = [_name(backbone, network, 'single', member) for member in range(count)]
        for member, name in enumerate(members):
            self._add_fit(name, network, 'single', backbone, f'--member={member}')
        self._add_model(members[0], network, 'single', backbone)
        ensemble = tuple(members[: self._scale.members])
        name = _name(backbone, network, 'ensemble')
        self._add_model(
            name, network, 'ensemble', backbone, members=ensemble, samples=len(ensemble)
        )

    def add_controls(self, backbone: str) -> None:
        """Baselines trained on for as long as the students, without a teacher."""
        for seed in range(self._scale.seeds):
            name = _name(backbone, MULTI_TASK_NETWORK, 'single_finetuned', seed)
            options = ('--seed=1', f'--member={seed}')
            start = self._baseline(backbone, seed)
            method = 'single_finetuned'
            self._add_student_run(name, 'fit', method, backbone, *options, initial_weights=start)
            self._add_model(name, MULTI_TASK_NETWORK, method, backbone, seed=seed)

    def add_ablation(self, backbone: str) -> None:
        """Students with each depth loss (tables 9 and 10)."""
        for depth_loss in ('gnll', 'mse', 'huber'):
            self.add_student(backbone, 0, depth_loss)

    def add_sampling_methods(self, network: str, backbone: str) -> None:
        """Monte Carlo dropout at two rates and the deep sub-ensemble."""
        passes, heads = self._scale.passes, self._scale.members
        for method, samples in (
            ('mc_dropout_20', passes),
            ('mc_dropout_50', passes),
            ('sub_ensemble', heads),
        ):
            name = _name(backbone, network, method)
            option = f'--model.num_samples={samples}'
            self._add_fit(name, network, method, backbone, option, samples=samples)
            self._add_model(name, network, method, backbone, samples=samples)

    def add_student(self, backbone: str, seed: int, depth_loss: str = 'gnll') -> None:
        """EMUFormer from one seed."""
        suffix = seed if depth_loss == 'gnll' else depth_loss
        name = _name(backbone, MULTI_TASK_NETWORK, 'emuformer', suffix)
        # The same order and augmentation as the fine-tuned baseline of this seed.
        options = ('--seed=1', f'--member={seed}', f'--model.depth_loss={depth_loss}')
        self._add_student_run(
            name,
            'distill',
            'emuformer',
            backbone,
            *options,
            initial_weights=self._baseline(backbone, seed),
            teacher=_name(backbone, MULTI_TASK_NETWORK, 'ensemble'),
        )
        self._add_model(
            name, MULTI_TASK_NETWORK, 'emuformer', backbone, depth_loss=depth_loss, seed=seed
        )

    def _add_student_run(
        self,
        name: str,
        command: str,
        method: str,
        backbone: str,
        *options: str,
        **starts_from: str,
    ) -> None:
        configs = [f'method/{method}', f'student/{self._settings.data}']
        if command == 'distill' and self._settings.data in _TEACHER_CONFIGS:
            configs.append(f'teacher/{self._settings.data}')
        self._add_run(
            name,
            command,
            MULTI_TASK_NETWORK,
            backbone,
            tuple(configs),
            self._scale.student_steps,
            options,
            {f'model.{option}': model for option, model in starts_from.items()},
            teachers=self._scale.members if command == 'distill' else 0,
        )

    def _add_fit(
        self, name: str, network: str, method: str, backbone: str, *options: str, samples: int = 1
    ) -> None:
        starts_from = {}
        if self._settings.encoder_weights is not None:
            weights = self._settings.encoder_weights / f'{backbone}.safetensors'
            options = (*options, f'--model.encoder_weights={weights}')
        elif self._scale.pretrain_steps:
            starts_from['model.encoder_weights'] = self._pretrained(backbone)
        configs = (f'method/{method}',)
        steps = self._scale.steps
        self._add_run(
            name, 'fit', network, backbone, configs, steps, options, starts_from, samples=samples
        )

    def _pretrained(self, backbone: str) -> str:
        """The encoder on other scenes that stands in for ImageNet weights."""
        name = f'{backbone}-pretrained'
        options = ('--model.recipe=pretrained', '--data.train_split=pretrain')
        steps = self._scale.pretrain_steps
        self._add_run(name, 'fit', MULTI_TASK_NETWORK, backbone, (), steps, options, {})
        return name

    def _add_run(
        self,
        name: str,
        command: str,
        network: str,
        backbone: str,
        configs: tuple[str, ...],
        wanted_steps: int | None,
        options: tuple[str, ...],
        starts_from: Mapping[str, str],
        **cost: int,
    ) -> None:
        settings = self._settings
        names = (f'data/{settings.data}', f'network/{network.lower()}', *configs)
        files = tuple(f'{config}.yaml' for config in names)
        steps = settings.steps(files, wanted_steps)
        interval = max(1, steps // self._scale.validations)
        common = (
            f'--model.backbone={backbone}',
            f'--trainer.max_steps={steps}',
            f'--trainer.val_check_interval={interval}',
            *settings.data_options(),
        )
        self.runs[name] = Run(
            name,
            command,
            files,
            (*common, *options),
            starts_from,
            steps,
            training_cost(settings, network, backbone, steps, **cost),
        )

    def _add_model(
        self,
        name: str,
        network: str,
        method: str,
        backbone: str,
        *,
        samples: int = 1,
        **attributes,
    ) -> None:
        cost = evaluation_cost(self._settings, backbone, samples)
        model = Model(name, network, backbone, method, cost=cost, **attributes)
        variants = () if network == 'SegFormer' else VARIANTS.get(self._settings.data, {})
        for variant in ('', *variants):
            evaluated = replace(model, variant=variant)
            self.models[evaluated.evaluation] = evaluated

    def _baseline(self, backbone: str, seed: int) -> str:
        return _name(backbone, MULTI_TASK_NETWORK, 'single', seed)


def _name(backbone: str, network: str, method: str, suffix: object = None) -> str:
    parts = [backbone, network.lower(), method]
    return '-'.join(parts if suffix is None else [*parts, str(suffix)])
