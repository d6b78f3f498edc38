"""Networks against the ground truth of a data set, frame by frame."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

import emu_model
from emu_model.checkpoint import CheckpointInfo
from emu_model.engines import create_engine
from emu_model.evaluation import Evaluation
from emu_model.metrics import EigenMetrics, ShiftAUROC
from emu_model.normal_uncertainty import UNCERTAINTIES
from emu_model.report import count_macs, count_parameters, evaluation_report
from emu_model.sampling import Distribution, Samples, predict_distribution
from train.cost import measure_time
from train.data import build
from train.data.dataset import EvaluationDataset, FrameDataset
from train.data.sampler import EvaluationSampler
from train.data.transforms import Resize

UNSIZED_FRAME = (480, 640)
"""(height, width) that the cost of a network is measured at which has no size of its own."""


@dataclass(frozen=True)
class EvaluationData:
    """The frames that networks are compared on.

    Attributes:
        name: One of train.data.DATASETS.
        root: Its folder.
        split: The split.
        options: Further options of the data set.
        shifts: Shifts to tell from normal frames; synthetic scenes only.
        shift_options: What differs from `options` for shifted frames, such as their number.
        batch_size: Frames at a time; it is one where frames keep their size, which may differ.
        workers: Processes that read frames.
        eigen: Whether depth is also reported as papers on KITTI do (emu_model.metrics.eigen).
            Frames then keep their size: a network still runs at its own size, and its maps are
            compared at the frame's.
    """

    name: str
    root: Path | None = None
    split: str = 'test'
    options: Mapping[str, Any] = field(default_factory=dict)
    shifts: Sequence[str] = ()
    shift_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 8
    workers: int = 2
    eigen: bool = False

    def batches(self, size: tuple[int, int] | None, shift: str | None = None) -> DataLoader:
        """The frames at a size, or at their own, in order; of a shift, if one is named."""
        dataset = self._frames if shift is None else self._shifted(shift)
        if self.eigen or size is None:
            return loader_of(dataset, None, 1, self.workers)
        return loader_of(dataset, size, self.batch_size, self.workers)

    def eigen_range_m(self) -> tuple[float, float] | None:
        """(nearest, farthest) depth that is evaluated as papers on KITTI do; None if it is not."""
        return self._frames.depth_range_m if self.eigen else None

    def check(self, checkpoint: Path, info: CheckpointInfo) -> None:
        """Refuse a checkpoint, which is `info`, whose classes are not those of the frames.

        Data is opened for this, shifted frames too, so what cannot be used is refused as well.

        Raises:
            ValueError: If they are not, or the data or a shift cannot be used.
        """
        dataset = self._frames
        compared = 'semantic' in info.tasks and dataset.labelled
        if compared and info.class_names != dataset.labels.class_names:
            raise ValueError(
                f"checkpoint '{checkpoint}' knows {len(info.class_names)} classes of "
                f"'{info.label_set}', data set '{self.name}' has {len(dataset.labels)} of "
                f"'{dataset.labels.name}': evaluate it on data with the classes it was trained "
                'on; those of imported weights get their names with '
                'python -m emu_model.import_weights --labels'
            )
        for shift in self.shifts:
            self._shifted(shift)

    @cached_property
    def _frames(self) -> FrameDataset:
        return build(self.name, self.root, self.split, **self.options)

    def _shifted(self, shift: str) -> FrameDataset:
        options = {**self.options, **self.shift_options, 'shift': shift}
        return build(self.name, self.root, self.split, **options)


@dataclass(frozen=True)
class Evaluated:
    """What a network did on a data set.

    Attributes:
        figures: {task or task_all_pixels: {figure: value}}, None for a task it lacks.
        curves: {task: {curve: {axis: values}}}.
        frame_sums: For each frame {group: sums}, from which `metrics.bootstrap` resamples.
        frame_uncertainty: {uncertainty: mean of each frame}.
        shifted_uncertainty: The same by shift, for frames under it.
    """

    figures: dict[str, dict | None]
    curves: dict[str, dict]
    frame_sums: list[dict[str, Mapping[str, Tensor]]] = field(repr=False)
    frame_uncertainty: dict[str, list[float]] = field(repr=False)
    shifted_uncertainty: dict[str, dict[str, list[float]]] = field(
        default_factory=dict, repr=False
    )


def evaluate_checkpoint(
    checkpoint: Path,
    data: EvaluationData,
    size: tuple[int, int] | None = None,
    device: str = 'auto',
) -> tuple[dict, Evaluated]:
    """Everything about a checkpoint: figures, shifts and cost.

    Monte Carlo dropout draws from a generator with a fixed seed, so evaluating twice gives the
    same figures.

    Args:
        checkpoint: A file, or the folder of an ensemble.
        data: The frames.
        size: (height, width) to evaluate at; the checkpoint's by default, and each frame's own if
            it has none.
        device: As for emu_model.create_engine.

    Returns:
        The JSON object that docs/evaluation.md describes, and what it was made of.

    Raises:
        FileNotFoundError, ValueError: If the checkpoint, the data or the device cannot be used.
    """
    engine = create_engine(checkpoint, 'torch', device, size)
    if 'instance' in engine.info.tasks:
        data = replace(data, options={**data.options, 'instances': True})
    data.check(checkpoint, engine.info)
    network = emu_model.load(checkpoint).to(engine.device)
    size = size or network.info.input_size
    torch.manual_seed(0)

    def frames(shift: str | None = None) -> Iterable[Mapping[str, Tensor]]:
        batches = data.batches(size, shift)
        return track(batches, shift or data.split, total=len(batches), transient=True)

    run = {
        'size': size if data.eigen else None,
        'calibrated_px': _calibrated_px(network.info, data.name, size),
    }
    evaluated = evaluate(network, frames(), data.eigen_range_m(), **run)
    shifted = {shift: frame_uncertainty(network, frames(shift), **run) for shift in data.shifts}
    evaluated = replace(evaluated, shifted_uncertainty=shifted)
    timed_size = size or UNSIZED_FRAME
    cost = {
        'inference_ms': measure_time(engine, timed_size),
        'parameters': count_parameters(checkpoint),
        'macs': count_macs(network, timed_size),
    }
    shifts = shift_auroc(evaluated.frame_uncertainty, shifted) if shifted else {}
    content = evaluation_report(
        network.info, evaluated.figures, shift_auroc=shifts or None, **cost
    )
    return content, evaluated


@torch.inference_mode()
def evaluate(
    network: Samples,
    batches: Iterable[Mapping[str, Tensor]],
    eigen_range_m: tuple[float, float] | None = None,
    *,
    size: tuple[int, int] | None = None,
    calibrated_px: float | None = None,
) -> Evaluated:
    """Compare a network with ground truth, frame by frame.

    Args:
        network: Any network in eval mode.
        batches: Plain frames as train.data gives them.
        eigen_range_m: (nearest, farthest) depth of the figures `depth_eigen`; None for none.
        size: (height, width) that the network runs at; the frames' by default, which its maps are
            compared at in any case.
        calibrated_px: Focal length that the network's depth is for, in pixels of what it sees;
            depth is rescaled from it to that of each frame. None leaves depth as it is.

    Returns:
        All figures; the frames' own counts are kept beside the total for bootstrap intervals.
    """
    info = network.info
    device = next(network.parameters()).device
    classes = len(info.class_names) or None
    total, of_frame = (
        Evaluation(info.tasks, classes, things=info.things).to(device) for _ in range(2)
    )
    by_image = None
    if eigen_range_m is not None and 'depth' in info.tasks:
        by_image = EigenMetrics(eigen_range_m).to(device)
    frame_sums, frame_uncertainty = [], {}
    for batch in batches:
        batch = {name: value.to(device) for name, value in batch.items()}
        distribution = _predict_frames(network, batch, size, calibrated_px)
        if by_image is not None:
            by_image.update(distribution.depth, batch['depth'])
        _add_frame_means(frame_uncertainty, distribution)
        for index in range(len(batch['image'])):
            of_frame.update(
                distribution[index : index + 1],
                classes=batch['classes'][index : index + 1],
                depth=batch['depth'][index : index + 1],
                instances=batch['instances'][index : index + 1] if 'instances' in batch else None,
            )
            sums = {name: group.sums() for name, group in of_frame.groups.items()}
            for name, group in total.groups.items():
                group.add_sums(sums[name])
                of_frame.groups[name].reset()
            frame_sums.append(sums)
    figures = total.figures()
    if by_image is not None:
        figures['depth_eigen'] = by_image.compute()
    return Evaluated(figures, total.curves(), frame_sums, frame_uncertainty)


@torch.inference_mode()
def frame_uncertainty(
    network: Samples,
    batches: Iterable[Mapping[str, Tensor]],
    *,
    size: tuple[int, int] | None = None,
    calibrated_px: float | None = None,
) -> dict[str, list[float]]:
    """{uncertainty: mean of each frame}, without looking at ground truth.

    Arguments as for `evaluate`.
    """
    device = next(network.parameters()).device
    means = {}
    for batch in batches:
        batch = {name: value.to(device) for name, value in batch.items()}
        _add_frame_means(means, _predict_frames(network, batch, size, calibrated_px))
    return means


def shift_auroc(
    normal: Mapping[str, list[float]], shifted: Mapping[str, Mapping[str, list[float]]]
) -> dict[str, dict[str, float]]:
    """How well the frame means of each uncertainty tell shifted frames from normal ones.

    Args:
        normal: {uncertainty: frame means} on normal frames.
        shifted: The same by shift.

    Returns:
        {uncertainty: {shift: AUROC, 'all': AUROC}}.
    """
    scores = {}
    for name, means in normal.items():
        metric = ShiftAUROC(list(shifted))
        metric.update(torch.tensor(means), None)
        for shift, uncertainties in shifted.items():
            metric.update(torch.tensor(uncertainties[name]), shift)
        scores[name] = {shift: value.item() for shift, value in metric.compute().items()}
    return scores


def loader_of(dataset, size: tuple[int, int] | None, batch_size: int, workers: int) -> DataLoader:
    """Plain frames of a data set in order, at a size; None leaves them at theirs.

    Frames of different sizes do not fit into one batch.
    """
    resize = Resize(*size) if size else None
    return DataLoader(
        EvaluationDataset(dataset, resize),
        batch_size=batch_size,
        sampler=EvaluationSampler(len(dataset)),
        num_workers=workers,
    )


def predict(network: Samples, image: Tensor, size: tuple[int, int] | None = None) -> Distribution:
    """What a network that runs at a size believes of images (B, 3, H, W) in 0…1, at theirs.

    Offsets are in pixels of the images, not of what the network sees.
    """
    info = network.info
    mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (info.mean, info.std))
    seen = image if size is None else F.interpolate(image, size, mode='bilinear', antialias=True)
    distribution = predict_distribution(network, (seen - mean) / std, image.shape[2:])
    if distribution.offsets is None:
        return distribution
    rows, columns = (full / part for full, part in zip(image.shape[2:], seen.shape[2:]))
    magnified = image.new_tensor((columns, rows)).view(1, 2, 1, 1)
    return replace(distribution, offsets=distribution.offsets * magnified)


def _predict_frames(
    network: Samples,
    batch: Mapping[str, Tensor],
    size: tuple[int, int] | None,
    calibrated_px: float | None,
) -> Distribution:
    """What a network believes of frames, its depth rescaled to their focal lengths if wanted."""
    distribution = predict(network, batch['image'], size)
    if calibrated_px is None:
        return distribution
    width = batch['image'].shape[3]
    seen_px = batch['intrinsics'][:, 0] * ((size[1] if size else width) / width)
    return distribution.rescaled(seen_px / calibrated_px)


def _calibrated_px(
    info: CheckpointInfo, data_name: str, size: tuple[int, int] | None
) -> float | None:
    """The focal length that depth is rescaled from; None on the data and at the size of training.

    What a network has learned of several cameras there is compared as it is.
    """
    # FrameDataModule.description begins with the name.
    trained_on = re.match(r'\w*', info.training_data)[0]
    own = trained_on == data_name and size == info.input_size
    return None if own else info.focal_length_px


def _add_frame_means(means: dict[str, list[float]], distribution: Distribution) -> None:
    for name, value in distribution.maps(UNCERTAINTIES).items():
        means.setdefault(name, []).extend(value.mean(dim=(1, 2)).tolist())
