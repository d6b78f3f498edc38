from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train.data import build
from train.data.datamodule import FrameDataModule
from train.data.dataset import AugmentedDataset, EvaluationDataset
from train.data.transforms import Resize

OPTIONS = {'height': 18, 'width': 24, 'workers': 1, 'focal_length_px': 20.0}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tmp_path_factory.mktemp('rendered')


def module(root, **options) -> FrameDataModule:
    return FrameDataModule(
        'synthetic',
        root,
        **{
            'batch_size': 3,
            'workers': 0,
            'seed': 4,
            'options': OPTIONS,
            'train_options': {'count': 7},
            'evaluation_options': {'count': 5},
            **options,
        },
    )


def assert_same(batch: dict, other: dict) -> None:
    assert batch.keys() == other.keys()
    for name in batch:
        assert torch.equal(batch[name], other[name]), name


def test_samples_do_not_depend_on_the_number_of_workers(root):
    alone = islice(module(root, workers=0).train_dataloader(), 6)
    shared = islice(module(root, workers=2).train_dataloader(), 6)
    for batch, other in zip(alone, shared, strict=True):
        assert_same(batch, other)


@pytest.mark.parametrize(('steps', 'batches_a_step'), [(5, 1), (2, 3)])
def test_a_resumed_run_sees_what_it_would_have_seen(root, steps, batches_a_step):
    whole = list(islice(module(root).train_dataloader(), 8))
    stopped, resumed = module(root), module(root)
    stopped.trainer = SimpleNamespace(global_step=steps, accumulate_grad_batches=batches_a_step)
    resumed.load_state_dict(stopped.state_dict())
    rest = whole[steps * batches_a_step :]
    for batch, other in zip(rest, islice(resumed.train_dataloader(), len(rest)), strict=True):
        assert_same(batch, other)


def test_seeds_differ_in_order_and_augmentation(root):
    batches = [next(iter(module(root, seed=seed).train_dataloader())) for seed in range(3)]
    assert len({tuple(batch['index'].tolist()) for batch in batches}) == 3


def test_a_frame_is_augmented_anew_each_epoch_but_the_same_on_every_read(root):
    data = module(root)
    frames = AugmentedDataset(data.train_set, data.transforms(), seed=1)
    other_seed = AugmentedDataset(data.train_set, data.transforms(), seed=2)
    assert_same(frames[0, 3], frames[0, 3])
    assert not torch.equal(frames[0, 3]['image'], frames[1, 3]['image'])
    assert not torch.equal(frames[0, 3]['image'], other_seed[0, 3]['image'])


def test_making_and_walking_loaders_draws_nothing_from_the_global_generator(root):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    data = module(root, workers=1)
    next(iter(data.train_dataloader()))
    next(iter(data.val_dataloader()))
    assert torch.equal(torch.get_rng_state(), before)


def test_training_samples_have_the_crops_size(root):
    batch = next(iter(module(root, crop=(16, 32)).train_dataloader()))
    assert batch['image'].shape == (3, 3, 16, 32)
    assert batch['classes'].shape == batch['depth'].shape == (3, 16, 32)
    batch = next(iter(module(root).train_dataloader()))
    assert batch['image'].shape == (3, 3, 18, 24)


def test_validation_frames_are_plain_and_come_once(root):
    data = module(root, evaluation_batch_size=2)
    batches = list(data.val_dataloader())
    assert [batch['index'].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    frames = build('synthetic', root, 'validation', count=5, **OPTIONS)
    for place, index in enumerate(torch.cat([batch['index'] for batch in batches]).tolist()):
        batch, row = batches[place // 2], place % 2
        assert_same({name: value[row] for name, value in batch.items()}, frames[index])


def test_test_frames_are_those_of_the_test_split(root):
    frames = build('synthetic', root, 'test', count=5, **OPTIONS)
    for batch, frame in zip(module(root).test_dataloader(), frames, strict=True):
        assert torch.equal(batch['image'][0], frame['image'])


def test_processes_share_training_and_validation(root):
    def shares(loader_name: str, batches: int) -> list[list[int]]:
        indices = []
        for rank in range(2):
            data = module(root, batch_size=2)
            data.trainer = SimpleNamespace(global_rank=rank, world_size=2)
            loader = getattr(data, loader_name)()
            taken = islice(loader, batches)
            indices.append([i for batch in taken for i in batch['index'].tolist()])
        return indices

    alone = [
        batch['index'].tolist()
        for batch in islice(module(root, batch_size=4).train_dataloader(), 3)
    ]
    first, second = shares('train_dataloader', 3)
    for step, batch in enumerate(alone):
        part = slice(2 * step, 2 * step + 2)
        assert first[part] + second[part] == batch
    # Five frames: the second process gets one that fills up.
    assert shares('val_dataloader', 9) == [[0, 2, 4], [1, 3, 4]]


def test_frames_that_fill_up_count_nowhere(root):
    frames = build('synthetic', root, 'validation', count=5, **OPTIONS)
    evaluated = EvaluationDataset(frames)
    filling = evaluated[4, False]
    assert torch.equal(filling['image'], frames[4]['image'])
    assert (filling['classes'] == 255).all()
    assert (filling['depth'] == 0).all()
    assert not filling['not_padding'].any()
    assert_same(evaluated[4, True], frames[4])


def test_the_data_is_described_at_the_size_the_network_will_run_at(root):
    data = module(root, crop=(16, 16), resize=(36, 48))
    assert data.size == (36, 48)
    assert data.focal_length_px == 40.0
    assert data.labels.name == 'synthetic'
    assert data.depth_range_m == (0.05, 80.0)
    assert '7 training frames' in data.description
    depths = [Resize(36, 48)(data.train_set.read(index)).depth for index in range(7)]
    measured = np.concatenate([depth[depth > 0] for depth in depths]).astype(np.float64)
    assert data.mean_depth_m == pytest.approx(measured.mean(), rel=1e-9)
    assert next(iter(data.val_dataloader()))['image'].shape == (1, 3, 36, 48)
    assert next(iter(data.train_dataloader()))['image'].shape == (3, 3, 16, 16)


def test_random_scales_and_crops_keep_the_focal_length(root):
    batch = next(iter(module(root, batch_size=16).train_dataloader()))
    # Sides are whole pixels, at least half of 24, so off by half a pixel of 12 at the most.
    assert ((batch['intrinsics'][:, 0] - 20).abs() <= 20 * 0.5 / 12).all()


def test_an_unknown_data_set_or_a_missing_root_is_named():
    with pytest.raises(ValueError, match="no data set 'coco': choose of cityscapes, kitti"):
        build('coco')
    with pytest.raises(ValueError, match=r"'nyuv2' needs .* --root DIR, in trainings --data.root"):
        build('nyuv2')


def test_an_unknown_option_is_named(root):
    with pytest.raises(ValueError, match=r"options of data set 'synthetic' .* 'cuont'"):
        build('synthetic', root, cuont=2)
