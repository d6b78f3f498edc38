"""What is trained: two networks of one task each, and from them every variant of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from train.reproduce.plan import Model, Plan, Run
from train.stereo_ablation.settings import AblationSettings

_STAGES = {'alone': 'method/stereo_alone.yaml', 'joint': 'method/stereo_joint.yaml'}

_STEP = 3.2
_STEP_OF_CROSS_VIEW = 1.3
_START = 25.0
_FRAME = 1.4


@dataclass(frozen=True)
class Variant:
    """A way of training on pairs.

    Attributes:
        name: Of its runs.
        label: As tables call it.
        confidence: Whether depth is weighted by its confidence.
        cross_view: Whether the cross-view terms are added.
        warp_depth: As for train.stereo.module.StereoModule.
    """

    name: str
    label: str
    confidence: bool = True
    cross_view: bool = True
    warp_depth: str = 'pseudo'

    def options(self) -> list[str]:
        """Command line of train.fit_stereo."""
        return [
            f'--model.confidence={self.confidence}',
            f'--model.cross_view={self.cross_view}',
            f'--model.warp_depth={self.warp_depth}',
        ]


ALL = Variant('all', 'all')

VARIANTS = (
    ALL,
    Variant('no_confidence', 'no confidence', confidence=False),
    Variant('no_cross_view', 'no cross-view terms', cross_view=False),
    Variant('predicted_warp', 'warped by predicted depth', warp_depth='predicted'),
    Variant('baseline', 'neither confidence nor cross-view', confidence=False, cross_view=False),
)
"""Everything, and what is left when a part of it is taken away."""


def make_plan(settings: AblationSettings, labels: Path) -> Plan:
    """The trainings and their evaluations.

    Args:
        settings: Of the experiment.
        labels: Folder of the pseudo labels.
    """
    planner = _Planner(settings, labels)
    models = [
        planner.add_variant(variant, seed)
        for seed in range(settings.scale.seeds)
        for variant in VARIANTS
    ]
    return Plan(planner.runs, tuple(models))


class _Planner:
    """Adds runs to a plan."""

    def __init__(self, settings: AblationSettings, labels: Path) -> None:
        self.runs: dict[str, Run] = {}
        self._settings = settings
        self._labels = labels

    def add_variant(self, variant: Variant, seed: int) -> Model:
        """A variant from one seed, with the networks that it starts from."""
        semantic = self._add_alone('SegFormer', 'semantic', seed)
        depth = self._add_alone(
            'DepthFormer',
            'depth' if variant.confidence else 'depth_no_confidence',
            seed,
            f'--model.confidence={variant.confidence}',
        )
        scale = self._settings.scale
        name = f'{variant.name}-{seed}'
        starts = {'model.depth_network': depth, 'model.semantic_network': semantic}
        step = _STEP * (_STEP_OF_CROSS_VIEW if variant.cross_view else 1)
        self._add(name, 'joint', scale.student_steps, seed, variant.options(), starts, step)
        backbone = self._settings.backbones[0]
        cost = _START + (scale.test_frames or 0) * _FRAME
        return Model(name, 'SegDepthFormer', backbone, variant.name, 'l1', seed, cost=cost)

    def _add_alone(self, network: str, name: str, seed: int, *options: str) -> str:
        name = f'{name}-{seed}'
        options = (f'--model.network={network}', *options)
        self._add(name, 'alone', self._settings.scale.steps, seed, options, {}, 0.8 * _STEP)
        return name

    def _add(
        self,
        name: str,
        stage: str,
        steps: int,
        seed: int,
        options: tuple[str, ...] | list[str],
        starts_from: Mapping[str, str],
        step_cost: float,
    ) -> None:
        settings = self._settings
        # The data's learning rate goes over the paper's, which is for networks from ImageNet.
        configs = (_STAGES[stage], f'{settings.config}.yaml')
        joint = ('--model.learning_rate=3e-4',) if stage == 'joint' else ()
        common = (
            f'--model.backbone={settings.backbones[0]}',
            f'--data.pseudo_labels={self._labels}',
            f'--trainer.max_steps={steps}',
            f'--trainer.val_check_interval={max(1, steps // settings.scale.validations)}',
            f'--seed={seed}',
            *joint,
            *settings.data_options(),
        )
        if settings.encoder_weights is not None and stage == 'alone':
            weights = settings.encoder_weights / f'{settings.backbones[0]}.safetensors'
            common = (*common, f'--model.encoder_weights={weights}')
        frames = 2 * (settings.scale.validation_frames or 0)
        cost = _START + steps * step_cost + frames * _FRAME
        self.runs[name] = Run(
            name, 'fit_stereo', configs, (*common, *options), starts_from, steps, cost
        )
