"""What the command line chose: data, backbones and size, and what follows from them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import timm
import yaml

from emu_model.backbones import create_backbone
from emu_model.checkpoint import read_info
from train.building import DROPOUT_OPTION
from train.data import build
from train.evaluation import EvaluationData
from train.reproduce.scale import SCALES, SHIFTS, Scale

CONFIGS = Path(__file__).parents[1] / 'configs'

STUDIES = ('student', 'ablation', 'grid')
"""Parts of the paper: the student beside its baseline and teacher, the depth losses of its
training, and every uncertainty method with every network."""

_MC_DROPOUT_STUDY = 'grid'
_ANY_RATE = 0.2

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    'cityscapes': {'uncapped': {'max_depth_m': None}}
}
"""By data set, other options that depth is reported with too, where the paper does not say."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what an experiment gives.

    Attributes:
        data: One of train.data.DATASETS.
        root: Folder of the data set.
        backbones: timm names of encoders; the first is studied in full.
        scale_name: Name of the size.
        encoder_weights: Folder with <backbone>.safetensors to start from; None for none.
        studies: Of STUDIES, what to do.
        seeds: Repetitions, where it is not the scale's number.
        scales: The sizes by data set and name.
        shifts: What test frames are changed by, by data set, to see whether it is noticed.
    """

    scales: ClassVar[Mapping[str, Mapping[str, Scale]]] = SCALES
    shifts: ClassVar[Mapping[str, tuple[str, ...]]] = SHIFTS

    data: str
    root: Path | None
    backbones: tuple[str, ...]
    scale_name: str
    encoder_weights: Path | None = None
    studies: tuple[str, ...] = STUDIES
    seeds: int | None = None

    @property
    def config(self) -> str:
        """The configuration of the data, below train/configs."""
        return f'data/{self.data}'

    @property
    def scale(self) -> Scale:
        """The size."""
        scale = self.scales[self.data][self.scale_name]
        return scale if self.seeds is None else replace(scale, seeds=self.seeds)

    def check(self) -> None:
        """Find what is wrong with the settings themselves.

        Raises:
            ValueError: If the scale, the number of seeds or a backbone cannot be used, or the
                first one cannot do what it is studied with.
        """
        if self.scale_name not in self.scales[self.data]:
            raise ValueError(
                f"there is no scale '{self.scale_name}' of {self.data}: choose of "
                f'{", ".join(self.scales[self.data])}'
            )
        if self.seeds is not None and self.seeds < 1:
            raise ValueError(f'{self.seeds} seeds: give at least 1')
        unknown = [name for name in self.backbones if not timm.is_model(name)]
        if unknown:
            raise ValueError(
                f"no backbone '{unknown[0]}': choose mit_b0 to mit_b5, or another of timm's that "
                'gives feature maps'
            )
        if _MC_DROPOUT_STUDY in self.studies:
            self._check_dropout()

    def _check_dropout(self) -> None:
        first = self.backbones[0]
        try:
            create_backbone(first, **{DROPOUT_OPTION: _ANY_RATE})
        except ValueError as error:
            raise ValueError(
                f"study '{_MC_DROPOUT_STUDY}' trains with Monte Carlo dropout, for which {error}: "
                'choose another first backbone, such as mit_b0 to mit_b5 or pvt_v2_b0 to '
                f'pvt_v2_b5, or --studies without {_MC_DROPOUT_STUDY}'
            ) from error

    def check_files(self) -> None:
        """Find what would stop the experiment after hours.

        Raises:
            ValueError: If the data or encoder weights are not as they should be, or not given.
            FileNotFoundError: If they are missing.
        """
        if self.data != 'synthetic' and self.encoder_weights is None:
            raise ValueError(
                f'training on {self.data} starts from ImageNet weights: give --encoder-weights '
                'DIR with <backbone>.safetensors, as python -m emu_model.import_weights writes it'
            )
        for backbone in self.backbones if self.encoder_weights else ():
            path = self.encoder_weights / f'{backbone}.safetensors'
            if read_info(path).backbone != backbone:
                raise ValueError(f"'{path}' is a {read_info(path).backbone}: give a {backbone}")
        if self.data != 'synthetic':
            for split in ('train', 'test'):
                build(self.data, self.root, split)

    def to_json(self) -> dict:
        """What must not change while an experiment goes on; more seeds may be added."""
        scale = {key: value for key, value in asdict(self.scale).items() if key != 'seeds'}
        size = self.scale.frame_size
        return {
            'data': self.data,
            **scale,
            'frame_size': None if size is None else list(size),
            'encoder_weights': self.encoder_weights and str(self.encoder_weights),
        }

    def data_options(self) -> tuple[str, ...]:
        """Command line options of the data, as train.fit takes them."""
        options = [] if self.root is None else [f'--data.root={self.root}']
        if self.scale.frame_size is not None:
            options.append(f'--data.options={json.dumps(self._frame_options())}')
        for key, frames in (
            ('train_options', self.scale.train_frames),
            ('evaluation_options', self.scale.validation_frames),
        ):
            if frames is not None:
                options.append(f'--data.{key}={json.dumps({"count": frames})}')
        return tuple(options)

    def test_data(self, variant: str = '') -> EvaluationData:
        """The frames that figures are reported on, or a variant of them."""
        config = read_config(f'{self.config}.yaml')['data']
        options = {**config.get('options', {}), **self._frame_options()}
        if self.scale.test_frames is not None:
            options['count'] = self.scale.test_frames
        if variant:
            options |= VARIANTS[self.data][variant]
        return EvaluationData(
            self.data,
            self.root,
            'test',
            options,
            () if variant else self.shifts.get(self.data, ()),
            {} if self.scale.shifted_frames is None else {'count': self.scale.shifted_frames},
            batch_size=config.get('evaluation_batch_size', 1),
        )

    def _frame_options(self) -> dict[str, int]:
        """Size and focal length of synthetic frames, where the configuration's are not wanted."""
        if self.scale.frame_size is None:
            return {}
        configured = read_config(f'{self.config}.yaml')['data']['options']
        height, width = self.scale.frame_size
        focal_length = round(configured['focal_length_px'] * width / configured['width'])
        return {'height': height, 'width': width, 'focal_length_px': focal_length}

    def steps(self, configs: tuple[str, ...], wanted: int | None) -> int:
        """Training steps of a run: those wanted, or the last configuration's that says so."""
        if wanted is not None:
            return wanted
        named = [read_config(config).get('trainer', {}).get('max_steps') for config in configs]
        return [steps for steps in named if steps][-1]


@dataclass(frozen=True)
class OneEncoderSettings(Settings):
    """Of an experiment on one encoder, which the names of its runs do not contain."""

    studies: tuple[str, ...] = ()

    def to_json(self) -> dict:
        """As of all settings, and the encoder."""
        return {**super().to_json(), 'backbone': self.backbones[0]}


@lru_cache
def read_config(name: str) -> dict:
    """A file of train/configs."""
    return yaml.safe_load((CONFIGS / name).read_text()) or {}
