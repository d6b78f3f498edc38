"""From a finished run to a checkpoint that explains itself."""

from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from emu_model import checkpoint
from emu_model.checkpoint import CheckpointInfo
from emu_model.evaluation import Evaluation
from emu_model.normal_uncertainty import NormalUncertainty
from emu_model.sampling import Samples
from train.evaluation import predict
from train.loss_weighting import HomoscedasticWeights
from train.module import NetworkModule
from train.resuming import read_checkpoint


def export(module: NetworkModule, data, best: Path | None, path: Path) -> CheckpointInfo:
    """Write the network of a run, with its figures and normal uncertainty on validation data.

    One process does this, on the whole of the validation data, after the process group of the
    training is gone.

    Args:
        module: The module after training.
        data: Its data module; it no longer belongs to the trainer afterwards.
        best: Lightning checkpoint of the best weights; None for the present ones.
        path: The .safetensors file to write.

    Returns:
        The metadata written.
    """
    if best is not None:
        module.load_state_dict(read_checkpoint(best)['state_dict'])
    # The trainer has moved it to the CPU.
    network = module.network.eval().to(module.trainer.strategy.root_device)
    training = {
        **_plain(dict(module.hparams)),
        'steps': module.trainer.global_step,
        **learned_weights(module),
    }
    network.info = replace(module.info, training=training)
    data.trainer = None  # whose processes would each get a share of the frames
    validation, normal = describe(network, data.val_dataloader())
    info = replace(network.info, validation=validation, normal_uncertainty=normal)
    checkpoint.save(network, info, path)
    return info


def learned_weights(module: NetworkModule) -> dict[str, dict[str, float]]:
    """{'loss_log_variances' and 'loss_weights': {term: value}} of the step that is kept.

    Nothing where the weights are fixed.
    """
    weighting = module.weighting
    if not isinstance(weighting, HomoscedasticWeights):
        return {}
    learned = {
        'loss_log_variances': weighting.log_variances(),
        'loss_weights': weighting.weights(),
    }
    return {
        name: _rounded({term: value.item() for term, value in values.items()})
        for name, values in learned.items()
    }


@torch.inference_mode()
def describe(network: Samples, loader: DataLoader) -> tuple[dict, dict]:
    """Figures and normal uncertainty of a network.

    Args:
        network: A network in eval mode.
        loader: Batches of validation frames, whole and in order.

    Returns:
        The figures by task, and the quantiles as CheckpointInfo.normal_uncertainty.
    """
    info = network.info
    device = next(network.parameters()).device
    evaluation = Evaluation(
        info.tasks, len(info.class_names) or None, all_pixels=False, things=info.things
    ).to(device)
    normal = NormalUncertainty()
    for batch in loader:
        distribution = predict(network, batch['image'].to(device))
        evaluation.update(
            distribution,
            classes=batch['classes'].to(device),
            depth=batch['depth'].to(device),
            instances=batch['instances'].to(device) if 'instances' in batch else None,
        )
        maps = distribution.maps(info.trained_uncertainties)
        normal.update({name: value.cpu().numpy() for name, value in maps.items()})
    figures = {task: _rounded(values) for task, values in evaluation.figures().items() if values}
    return figures, normal.quantiles()


def _rounded(figures: dict) -> dict:
    """Figures to six digits, which is more than they are worth."""
    return {
        name: float(f'{value:.6g}') if isinstance(value, float) else value
        for name, value in figures.items()
    }


def _plain(values: dict) -> dict:
    """Hyperparameters as JSON can hold them."""
    return {
        key: value if isinstance(value, (int, float, bool, type(None))) else str(value)
        for key, value in values.items()
        if not key.startswith('_')  # Lightning's own
    }
