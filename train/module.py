"""Training of one network, for any set of tasks and any method (EMUFormer, arXiv 2402.10580)."""

import math
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn

import emu_model
from emu_model.checkpoint import CheckpointInfo, read_info
from emu_model.evaluation import Evaluation
from emu_model.networks import Network
from emu_model.sampling import SINGLE_FILE_METHODS, predict_distribution
from emu_model.tasks import NETWORKS
from emu_model.upsampling import upsample
from train.data.datamodule import FrameDataModule
from train.loss_weighting import FixedWeights, HomoscedasticWeights, check_weighting
from train.objectives import (
    Batch,
    Objective,
    depth_objective,
    instance_l1,
    semantic_cross_entropy,
)
from train.optimisation import make_optimizer


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
        options = self.hparams
        data = self.trainer.datamodule
        torch.manual_seed(options.seed)
        self.info = self._describe(data)
        self.network = SINGLE_FILE_METHODS[options.method].from_info(self.info)
        self.info = replace(self.info, head_width=self.network.head_width)
        mean = torch.tensor(self.info.mean).view(1, 3, 1, 1)
        std = torch.tensor(self.info.std).view(1, 3, 1, 1)
        self.register_buffer('mean', mean, persistent=False)
        self.register_buffer('std', std, persistent=False)
        if options.loss_weighting == 'homoscedastic':
            self.weighting = HomoscedasticWeights(self.term_names())
        else:
            self.weighting = FixedWeights(self.weights)
        if options.initial_weights:
            self.network.load_state_dict(self._initial_network(options.initial_weights))
            return
        if options.encoder_weights:
            encoder = emu_model.load(options.encoder_weights).backbone
            self.network.backbone.load_state_dict(encoder.state_dict())
        _start_at_mean_depth(self.network, data)

    def _describe(self, data) -> CheckpointInfo:
        options = self.hparams
        tasks = NETWORKS[options.network]
        source = options.initial_weights or options.encoder_weights
        backbone_options = {'drop_path_rate': options.drop_path_rate}
        if options.method == 'mc_dropout':
            backbone_options['proj_drop_rate'] = options.dropout
        if source:
            known = read_info(source).backbone_options
            backbone_options |= {key: known[key] for key in known if key.endswith('norm_eps')}
        return CheckpointInfo(
            network=options.network,
            backbone=options.backbone,
            head_width=0,
            head_dropout=options.dropout,
            backbone_options=backbone_options,
            method=options.method,
            num_samples=options.num_samples,
            training_data=data.description,
            input_size=data.size,
            focal_length_px=data.focal_length_px if 'depth' in tasks else None,
            depth_range_m=data.depth_range_m if 'depth' in tasks else None,
            depth_target=options.depth_target if 'depth' in tasks else 'depth',
            things=data.things if 'instance' in tasks else (),
            **_classes(data.labels if 'semantic' in tasks else None),
        )

    def _initial_network(self, path: Path) -> dict[str, Tensor]:
        initial = emu_model.load(path)
        if initial.info.depth_target != self.info.depth_target:
            raise ValueError(
                f"'{path}' predicts depth_target '{initial.info.depth_target}', this trains "
                f"'{self.info.depth_target}': start from one like it"
            )
        if (initial.info.tasks, initial.info.backbone, initial.info.class_names) != (
            self.info.tasks,
            self.info.backbone,
            self.info.class_names,
        ):
            raise ValueError(
                f"'{path}' is a {initial.info.network} with {initial.info.backbone} and "
                f'{len(initial.info.class_names)} classes, this trains a {self.info.network} with '
                f'{self.info.backbone} and {len(self.info.class_names)}: start from one like it'
            )
        return initial.state_dict()

    def normalise(self, image: Tensor) -> Tensor:
        """An image (B, 3, H, W) in 0…1 as the network takes it."""
        return (image - self.mean) / self.std

    # Training

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Make dropout a function of seed, step and rank, for a resumed run to go on the same."""
        seed = np.random.SeedSequence([self.hparams.seed, self.global_step, self.global_rank])
        torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))

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
        warm = min(1.0, (step + 1) / (self.hparams.warmup_steps + 1))
        remaining = max(0.0, 1 - step / self.trainer.max_steps)
        return warm * math.pow(remaining, self.hparams.poly_power)


_LOGGED_FIGURES = {
    'semantic': ('miou', 'ece', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu'),
    'depth': ('rmse', 'delta1', 'nll', 'p_accurate_certain', 'p_uncertain_inaccurate', 'pavpu'),
    'instance': ('offset_error', 'ap', 'ap50'),
}


def _classes(labels) -> dict:
    if labels is None:
        return {}
    return {
        'label_set': labels.name,
        'class_names': labels.class_names,
        'palette': labels.palette,
    }


def _start_at_mean_depth(network: nn.Module, data) -> None:
    """Bias each depth head's mean to the data's mean depth, so that its ReLU starts alive.

    Inverse depth starts at that of the mean depth.
    """
    members = [network.heads, *getattr(network, 'further_heads', [])]
    for heads in members:
        if 'depth' in heads:
            with torch.no_grad():
                inverse = network.info.depth_target == 'inverse'
                mean = 1 / data.mean_depth_m if inverse else data.mean_depth_m
                heads['depth'].predict.bias[0] = mean
