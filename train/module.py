"""Training of one network, for any set of tasks and any method (EMUFormer, arXiv 2402.10580)."""

from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor

from emu_model.evaluation import Evaluation
from emu_model.networks import Network
from emu_model.sampling import SINGLE_FILE_METHODS, predict_distribution
from emu_model.tasks import NETWORKS
from emu_model.upsampling import upsample
from train import building
from train.data.datamodule import FrameDataModule
from train.loss_weighting import FixedWeights, HomoscedasticWeights, check_weighting
from train.objectives import (
    Batch,
    Objective,
    depth_objective,
    instance_l1,
    semantic_cross_entropy,
)
from train.optimisation import make_optimizer, polynomial_factor


class TrainingDiverged(RuntimeError):
    """A loss term that is not finite; the message names the term and the step."""


class NetworkModule(L.LightningModule):
    """A network in training: a loss for each task, AdamW with a polynomial schedule.

    Args:
        network: One of emu_model.tasks.NETWORKS.
        backbone: timm name of the encoder.
        method: 'single', 'mc_dropout' or 'sub_ensemble'; ensemble members are single networks.
        recipe: What tables call the way it was trained, such as 'mc_dropout_20'; the method by
            default.
        num_samples: Passes of mc_dropout, heads per task of sub_ensemble.
        dropout: Rate in the heads and, for mc_dropout, at every dropout site of the encoder.
        drop_path_rate: Stochastic depth of the encoder's last block.
        encoder_weights: Checkpoint whose encoder training starts from; heads start afresh.
        initial_weights: Checkpoint that the whole network starts from.
        depth_loss: 'gnll', 'mse', 'huber' or 'l1'.
        depth_target: What the depth head predicts: 'depth' in metres, or 'inverse' depth in 1/m,
            which goes with 'l1'.
        loss_weighting: 'fixed' weights, or 'homoscedastic' ones that are learned
            (train.loss_weighting) in the place of all weights below.
        semantic_weight: Weight of the cross entropy.
        depth_weight: Weight of the depth loss.
        instance_weight: Weight of the offsets to centroids.
        weighting_learning_rate: Of the learned weights.
        learning_rate: Of the encoder.
        head_learning_rate_factor: Learning rate of the heads over the encoder's.
        weight_decay: Of all weights but norms and biases.
        warmup_steps: Steps of linear warm-up.
        poly_power: Power of the polynomial decay over all steps.
        seed: Decides initial heads, dropout, augmentation and order.

    Attributes:
        data_module: What its data comes from.
    """

    data_module: type[FrameDataModule] = FrameDataModule

    def __init__(
        self,
        network: str = 'SegDepthFormer',
        backbone: str = 'mit_b2',
        method: str = 'single',
        recipe: str | None = None,
        num_samples: int = 1,
        dropout: float = 0.1,
        drop_path_rate: float = 0.1,
        encoder_weights: Path | None = None,
        initial_weights: Path | None = None,
        depth_loss: str = 'gnll',
        depth_target: str = 'depth',
        loss_weighting: str = 'fixed',
        semantic_weight: float = 1.0,
        depth_weight: float = 1.0,
        instance_weight: float = 1.0,
        weighting_learning_rate: float = 1e-2,
        learning_rate: float = 6e-5,
        head_learning_rate_factor: float = 10.0,
        weight_decay: float = 0.01,
        warmup_steps: int = 0,
        poly_power: float = 0.9,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, choices in (
            ('network', network, [name for name, tasks in NETWORKS.items() if tasks]),
            ('method', method, list(SINGLE_FILE_METHODS)),
        ):
            if value not in choices:
                raise ValueError(f"{name} '{value}' is unknown: choose of {', '.join(choices)}")
        if not 0 <= drop_path_rate <= 1:
            raise ValueError(f'drop_path_rate is {drop_path_rate}: give a rate from 0 to 1')
        check_weighting(loss_weighting, NETWORKS[network], depth_loss)
        self.save_hyperparameters()
        self.hparams.recipe = recipe or method
        self.network: Network | None = None
        self.objectives: dict[str, Objective] = {
            'semantic': semantic_cross_entropy,
            'depth': depth_objective(depth_target, depth_loss),
            'instance': instance_l1,
        }
        self.weights = {
            'semantic': semantic_weight,
            'depth': depth_weight,
            'instance': instance_weight,
        }
        self.weighting: FixedWeights | HomoscedasticWeights | None = None

    # The network

    def configure_model(self) -> None:
        """Build the network for the data it is to be trained on."""
        if self.network is not None:
            return
        data = self.trainer.datamodule
        torch.manual_seed(self.hparams.seed)
        info = building.describe(self.hparams, data, self.encoder_origin())
        self.network = building.build(info, data.mean_depth_m)
        self.info = self.network.info
        self.start_network()
        mean = torch.tensor(self.info.mean).view(1, 3, 1, 1)
        std = torch.tensor(self.info.std).view(1, 3, 1, 1)
        self.register_buffer('mean', mean, persistent=False)
        self.register_buffer('std', std, persistent=False)
        if self.hparams.loss_weighting == 'homoscedastic':
            self.weighting = HomoscedasticWeights(self.term_names())
        else:
            self.weighting = FixedWeights(self.weights)

    def encoder_origin(self) -> Path | None:
        """The checkpoint that the encoder starts from; None if it starts afresh."""
        return self.hparams.initial_weights or self.hparams.encoder_weights

    def start_network(self) -> None:
        """Give the network the weights of the checkpoints that it is to start from."""
        options = self.hparams
        if options.initial_weights:
            building.start_from(options.initial_weights, self.network, [building.WHOLE])
        elif options.encoder_weights:
            building.start_from(options.encoder_weights, self.network, [building.ENCODER])

    def normalise(self, image: Tensor) -> Tensor:
        """An image (B, 3, H, W) in 0…1 as the network takes it."""
        return (image - self.mean) / self.std

    # Training

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Make dropout and jitter the same in a resumed run.

        They are a function of seed, step and rank, and of which batch of the step it is where
        gradients are accumulated.
        """
        decides = [self.hparams.seed, self.global_step, self.global_rank]
        if further := batch_index % self.trainer.accumulate_grad_batches:
            decides.append(further)
        seed = np.random.SeedSequence(decides).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(seed >> 1))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Weighted sum of the loss terms; each is logged."""
        terms = self.loss_terms(batch)
        self._stop_unless_finite(terms)
        total = self.weighting(terms)
        learned = {f'log_variance/{k}': v for k, v in self.weighting.log_variances().items()}
        self._log_terms('train', {**terms, **learned, 'loss': total}, batch)
        return total

    def term_names(self) -> list[str]:
        """Names of the loss terms."""
        return list(self.info.tasks)

    def loss_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of each task, unweighted."""
        return self.terms_of(self.full_size_outputs(batch['image']), batch)

    def full_size_outputs(self, image: Tensor) -> dict[str, Tensor]:
        """Raw outputs in training, fp32 (B, C, H, W), of images (B, 3, H, W) in 0…1."""
        raw = self._forward_in_training(self.normalise(image))
        return {task: upsample(output.float(), image.shape[2:]) for task, output in raw.items()}

    def terms_of(self, full: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The loss terms of full-size raw outputs, unweighted."""
        return {task: self.objectives[task](output, batch) for task, output in full.items()}

    def _forward_in_training(self, image: Tensor) -> dict[str, Tensor]:
        if self.hparams.method == 'sub_ensemble':
            return self.network(image, self.global_step % self.hparams.num_samples)
        return self.network(image)

    def _stop_unless_finite(self, terms: dict[str, Tensor]) -> None:
        if torch.stack(list(terms.values())).isfinite().all():
            return
        bad = [name for name, value in terms.items() if not value.isfinite()]
        raise TrainingDiverged(
            f'loss term {", ".join(bad)} is not finite at step {self.global_step}: lower '
            'learning_rate, clip gradients (trainer.gradient_clip_val 1) or train in fp32'
        )

    # Validation

    def on_validation_epoch_start(self) -> None:
        """Start from empty metrics."""
        classes = len(self.info.class_names) or None
        evaluation = Evaluation(
            self.info.tasks, classes, all_pixels=False, things=self.info.things
        )
        self.evaluation = evaluation.to(self.device)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Losses, and what the predictive distribution is worth."""
        image = self.normalise(batch['image'])
        size = batch['image'].shape[2:]
        first = next(iter(self.network.samples(image)))
        terms = {
            task: self.objectives[task](upsample(output.float(), size), batch)
            for task, output in first.items()
        }
        self._log_terms('val', {**terms, 'loss': self.weighting(terms)}, batch)
        self.evaluation.update(
            predict_distribution(self.network, image, size),
            classes=batch['classes'],
            depth=batch['depth'],
            instances=batch.get('instances'),
        )

    def on_validation_epoch_end(self) -> None:
        """Log the headline figures."""
        for task, figures in self.evaluation.figures().items():
            for name in _LOGGED_FIGURES.get(task, ()) if figures else ():
                if figures[name] is not None:
                    shown = name in ('miou', 'rmse')
                    self.log(f'val/{task}/{name}', figures[name], prog_bar=shown)

    def _log_terms(self, stage: str, terms: dict[str, Tensor], batch: Batch) -> None:
        for name, value in terms.items():
            self.log(
                f'{stage}/{name}',
                value.detach(),
                prog_bar=name == 'loss',
                batch_size=len(batch['image']),
                sync_dist=True,
            )

    # Optimisation

    def configure_optimizers(self) -> dict:
        """AdamW and the polynomial schedule."""
        options = self.hparams
        optimizer = make_optimizer(
            self.network,
            learning_rate=options.learning_rate,
            head_learning_rate_factor=options.head_learning_rate_factor,
            weight_decay=options.weight_decay,
            learned_weights=self.weighting.parameters(),
            weighting_learning_rate=options.weighting_learning_rate,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': schedule, 'interval': 'step'},
        }

    def _learning_rate_factor(self, step: int) -> float:
        return polynomial_factor(
            step,
            self.trainer.max_steps,
            warmup_steps=self.hparams.warmup_steps,
            power=self.hparams.poly_power,
        )


_LOGGED_FIGURES = {
    'semantic': ('miou', 'ece', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu'),
    'depth': ('rmse', 'delta1', 'nll', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu'),
    'instance': ('offset_error', 'ap', 'ap50'),
}
