"""Training of a network that sees one image on stereo pairs with pseudo labels (Pseudo-MTL)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from emu_model.labels import UNLABELLED
from emu_model.tasks import NETWORKS
from emu_model.warping import disparity_from_depth
from train import building
from train.distillation import DistillationModule
from train.module import NetworkModule
from train.objectives import Batch, activate_depth
from train.optimisation import warm_up_factor
from train.stereo.cross_view import (
    DEPTH_WEIGHTS,
    SEMANTIC_WEIGHTS,
    Correspondence,
    CrossViewWeights,
    Views,
    cross_view_loss,
    depth_distance,
    one_hot,
    semantic_distance,
)
from train.stereo.datamodule import StereoDataModule
from train.stereo.sample import RIGHT

WARP_DEPTHS = ('pseudo', 'predicted')
"""Depths that views can be warped by."""

_CROSS_VIEW = '_cross_view'


class StereoModule(NetworkModule):
    """A network that is trained on both views of stereo pairs.

    L = α_d·L_d + α_s·L_s + L_d,c + L_s,c: the tasks' losses, each summed over both views, with the
    depth weighted by its confidence, and the cross-view terms (train.stereo.cross_view). α_d and
    α_s are `depth_weight` and `semantic_weight`.

    Args:
        confidence: Whether depth is weighted by its confidence; otherwise all depth counts alike.
        cross_view: Whether the cross-view terms are added.
        warp_depth: What views are warped by: 'pseudo' depth, or 'predicted' depth, for which there
            is no confidence.
        depth_cross_view: Weights within L_d,c.
        semantic_cross_view: Weights within L_s,c.
        depth_network: Checkpoint that the encoder and the depth head start from.
        semantic_network: Checkpoint that the semantic head starts from.
        decay_steps: Steps after which the learning rate falls to a tenth, again and again, instead
            of the polynomial decay; None keeps that.
        **options: As for NetworkModule.
    """

    data_module = StereoDataModule

    def __init__(
        self,
        confidence: bool = True,
        cross_view: bool = True,
        warp_depth: str = 'pseudo',
        depth_cross_view: CrossViewWeights = DEPTH_WEIGHTS,
        semantic_cross_view: CrossViewWeights = SEMANTIC_WEIGHTS,
        depth_network: Path | None = None,
        semantic_network: Path | None = None,
        decay_steps: int | None = None,
        **options,
    ) -> None:
        super().__init__(**options)
        if warp_depth not in WARP_DEPTHS:
            raise ValueError(
                f"warp_depth '{warp_depth}' is unknown: choose of {', '.join(WARP_DEPTHS)}"
            )
        if decay_steps is not None and decay_steps < 1:
            raise ValueError(f'decay_steps is {decay_steps}: give 1 or more, or none')
        tasks = NETWORKS[self.hparams.network]
        if 'instance' in tasks:
            raise ValueError(
                f"network '{self.hparams.network}' has the instance task, for which stereo pairs "
                'have no labels: train one without it'
            )
        if cross_view and warp_depth == 'predicted' and 'depth' not in tasks:
            raise ValueError(
                f"network '{self.hparams.network}' predicts no depth to warp views by: choose "
                "warp_depth 'pseudo'"
            )
        self.save_hyperparameters(
            'confidence',
            'cross_view',
            'warp_depth',
            'depth_cross_view',
            'semantic_cross_view',
            'depth_network',
            'semantic_network',
            'decay_steps',
        )
        self._cross_view_weights = {'depth': depth_cross_view, 'semantic': semantic_cross_view}

    def encoder_origin(self) -> Path | None:
        """The checkpoint that the encoder starts from, the depth network where there is one."""
        return self.hparams.depth_network or super().encoder_origin()

    def start_network(self) -> None:
        """Start as any network, and parts of it from networks of one task each."""
        super().start_network()
        for path, parts in (
            (self.hparams.semantic_network, [building.SEMANTIC_HEAD]),
            (self.hparams.depth_network, [building.ENCODER, building.DEPTH_HEAD]),
        ):
            if path is not None:
                building.start_from(path, self.network, parts)

    # Losses

    def term_names(self) -> list[str]:
        """Names of the tasks' losses and of the cross-view terms."""
        names = super().term_names()
        tasks = self._cross_view_tasks() if self.hparams.cross_view else ()
        return [*names, *(task + _CROSS_VIEW for task in tasks)]

    def _cross_view_tasks(self) -> list[str]:
        return [task for task in _COMPARED if task in self.info.tasks]

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The terms, each summed over both views, and the cross-view terms, unweighted."""
        left, right = self._views(batch)
        outputs = self.full_size_outputs(torch.cat([left['image'], right['image']]))
        of_left, of_right = ({k: v.chunk(2)[side] for k, v in outputs.items()} for side in (0, 1))
        in_left, in_right = self.terms_of(of_left, left), self.terms_of(of_right, right)
        terms = {name: in_left[name] + in_right[name] for name in in_left}
        if self.hparams.cross_view:
            terms |= self._cross_view_terms((of_left, of_right), (left, right), batch)
        return terms

    def _views(self, batch: Batch) -> tuple[Batch, Batch]:
        """The batch as two, one for each view."""
        right = {k.removeprefix(RIGHT): v for k, v in batch.items() if k.startswith(RIGHT)}
        views = ({name: batch[name] for name in right}, right)
        if not self.hparams.confidence:
            for view in views:
                view['confidence'] = torch.ones_like(view['confidence'])
        return views

    def _cross_view_terms(
        self,
        outputs: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
        batches: tuple[Batch, Batch],
        batch: Batch,
    ) -> dict[str, Tensor]:
        correspondence = self._correspondence(outputs, batches, batch)
        terms = {}
        for task in self._cross_view_tasks():
            of_task, distance = _COMPARED[task]
            maps = [
                of_task(output[task], view, self.info.depth_target)
                for output, view in zip(outputs, batches)
            ]
            predictions, labels, labelled = (Views(*pair) for pair in zip(*maps))
            terms[task + _CROSS_VIEW] = cross_view_loss(
                distance,
                predictions,
                labels,
                labelled,
                correspondence,
                self._cross_view_weights[task],
            )
        return terms

    def _correspondence(
        self,
        outputs: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
        batches: tuple[Batch, Batch],
        batch: Batch,
    ) -> Correspondence:
        pseudo = self.hparams.warp_depth == 'pseudo'
        disparities, confidences = [], []
        for output, view in zip(outputs, batches):
            depth = view['depth'] if pseudo else self._predicted_depth(output['depth'])
            disparity = disparity_from_depth(depth, batch['focal_baseline'], batch['doffs'])
            trust = view['confidence'] if pseudo else torch.ones_like(depth)
            disparities.append(disparity[:, None])
            confidences.append((trust * view['not_padding'])[:, None])
        return Correspondence(Views(*disparities), Views(*confidences))

    def _predicted_depth(self, raw: Tensor) -> Tensor:
        """Depth in metres, float (B, H, W), not positive where there is none."""
        mean, _ = activate_depth(raw)
        if self.info.depth_target == 'depth':
            return mean
        return torch.where(mean > 0, mean, torch.inf).reciprocal()

    # Optimisation

    def _learning_rate_factor(self, step: int) -> float:
        if self.hparams.decay_steps is None:
            return super()._learning_rate_factor(step)
        decay = 0.1 ** (step // self.hparams.decay_steps)
        return warm_up_factor(step, self.hparams.warmup_steps) * decay


class StereoDistillationModule(StereoModule, DistillationModule):
    """A student trained on stereo pairs with pseudo labels and on its teacher's uncertainties.

    Args:
        **options: As for StereoModule and DistillationModule.
    """


def _depth_maps(raw: Tensor, batch: Batch, target: str) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction and label in the head's unit, and where there is a label, (B, 1, H, W)."""
    labelled = batch['depth'] > 0
    label = batch['depth']
    if target == 'inverse':
        label = torch.where(labelled, label, torch.inf).reciprocal()
    return activate_depth(raw)[0][:, None], label[:, None], labelled[:, None].float()


def _semantic_maps(logits: Tensor, batch: Batch, _: str) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted and labelled class probabilities (B, K, H, W), and where there is a label."""
    classes = batch['classes']
    labelled = (classes != UNLABELLED)[:, None].float()
    return logits.softmax(dim=1), one_hot(classes, logits.shape[1]), labelled


_COMPARED = {
    'semantic': (_semantic_maps, semantic_distance),
    'depth': (_depth_maps, depth_distance),
}
"""By task, what cross-view terms compare and how far it is apart."""
