"""EMUFormer: a network learns from a teacher's uncertainty (arXiv 2402.10580, section 3.3)."""

from pathlib import Path

import torch
from torch import Tensor

import emu_model
from emu_model import losses
from emu_model.checkpoint import CheckpointInfo
from emu_model.heads import fold
from emu_model.sampling import Distribution, Samples, predict_distribution
from train.data.transforms import JitterStrengths, colour_jitter
from train.module import NetworkModule
from train.objectives import Batch, activate_depth


class DistillationModule(NetworkModule):
    """A student trained on the labels and on what its teacher makes of the same frames.

    The teacher sees each frame in jittered colours, with the same geometry; it is never trained
    nor stored with the student. What it says of depth is rescaled from the focal length that it
    was trained for to the student's.

    Args:
        teacher: Checkpoint of the teacher: a file, or the folder of an ensemble.
        kl_weight: Weight of the divergence from the teacher's softmax (w2).
        rmsle_weight: Weight of the distance from the teacher's predictive variance (w3).
        jitter: Strengths of the teacher's colour jitter.
        recipe: What tables call it.
        **options: As for NetworkModule; `initial_weights` is the SegDepthFormer to start from.
    """

    def __init__(
        self,
        teacher: Path,
        kl_weight: float = 10.0,
        rmsle_weight: float = 1.0,
        jitter: JitterStrengths = JitterStrengths(),  # noqa: B008  (frozen)
        recipe: str = 'emuformer',
        **options,
    ) -> None:
        super().__init__(recipe=recipe, **options)
        if self.hparams.depth_target != 'depth':
            raise ValueError(
                f"a student's depth_target is '{self.hparams.depth_target}': its variance is held "
                "against the teacher's in m², so train it with depth_target 'depth'"
            )
        self.save_hyperparameters('teacher', 'kl_weight', 'rmsle_weight')
        self.jitter = jitter
        self.weights |= {'kl': kl_weight, 'rmsle': rmsle_weight}
        # In a tuple, so that the teacher is no part of the student's state.
        self._teacher: tuple[Samples] | None = None
        self._depth_scale = 1.0

    def on_fit_start(self) -> None:
        """Load the teacher next to the student."""
        teacher = fold(emu_model.load(self.hparams.teacher))
        missing = set(self.info.tasks) - set(teacher.info.tasks)
        if missing or teacher.info.class_names != self.info.class_names:
            raise ValueError(
                f"teacher '{self.hparams.teacher}' is a {teacher.info.network} with "
                f'{len(teacher.info.class_names)} classes, the student a {self.info.network} with '
                f'{len(self.info.class_names)}: it must know all tasks and the same classes'
            )
        self._check_variance(teacher.info)
        if 'depth' in self.info.tasks:
            self._depth_scale = self.info.focal_length_px / teacher.info.focal_length_px
        self._teacher = (teacher.requires_grad_(False).to(self.device),)

    def _check_variance(self, teacher: CheckpointInfo) -> None:
        learned = self.hparams.loss_weighting == 'homoscedastic'
        teaches = 'depth' in self.info.tasks and (learned or self.hparams.rmsle_weight)
        if teaches and 'depth_std' not in teacher.trained_uncertainties:
            raise ValueError(
                f"teacher '{self.hparams.teacher}' was trained with depth_loss "
                f"'{teacher.training['depth_loss']}', which leaves the variance of its depth as "
                'it was initialised: train one with gnll, or learn its classes alone '
                '(--model.rmsle_weight 0, with --model.loss_weighting fixed)'
            )

    def term_names(self) -> list[str]:
        """Names of the tasks' losses and of the distances from the teacher."""
        distances = {'semantic': 'kl', 'depth': 'rmsle'}
        tasks = self.info.tasks
        return [*tasks, *(distances[task] for task in tasks if task in distances)]

    def terms_of(self, full: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The tasks' losses and the distances from the teacher, unweighted."""
        terms = super().terms_of(full, batch)
        taught = self._ask_teacher(batch['image'])
        if 'semantic' in full:
            terms['kl'] = losses.kl_divergence(
                taught.probabilities, full['semantic'], batch['not_padding']
            )
        if 'depth' in full:
            _, variance = activate_depth(full['depth'])
            terms['rmsle'] = losses.rmsle_variance(
                variance, taught.depth_variance, batch['not_padding']
            )
        return terms

    @torch.no_grad()
    def _ask_teacher(self, image: Tensor) -> Distribution:
        jittered = colour_jitter(image, self.jitter)
        taught = predict_distribution(self._teacher[0], self.normalise(jittered), image.shape[2:])
        return taught.rescaled(image.new_full((len(image),), self._depth_scale))
