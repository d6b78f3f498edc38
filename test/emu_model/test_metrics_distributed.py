import json
from datetime import timedelta

import pytest
import torch
import torch.multiprocessing as multiprocessing
from metric_batches import GROUPS, assert_same_figures

from emu_model.metrics import ShiftAUROC

IMAGES_OF_RANK = (3, 2)


def run_rank(rank, folder):
    """Feed this rank's share and write what each metric computes here."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/rendezvous',
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=2),  # ranks that wait for each other fail instead of hanging
    )
    results = {}
    for name, (create, batch) in GROUPS.items():
        group = create()
        group.update(**batch(IMAGES_OF_RANK[rank], seed=rank))
        results[name] = [group.compute(), group.curves()]
        group.update(**batch(1, seed=10 + rank))  # the ranks' own sums are back after computing
        results[f'{name}, later'] = [group.compute(), group.curves()]
        idle = create()
        if rank == 0:
            idle.update(**batch(2, seed=0))
        results[f'{name}, one rank idle'] = [idle.compute(), idle.curves()]
    shift = ShiftAUROC(['fog', 'night'])
    feed_shift(shift, rank)
    results['shift'] = {kind: value.item() for kind, value in shift.compute().items()}
    (folder / f'{rank}.json').write_text(json.dumps(results))
    torch.distributed.destroy_process_group()


def feed_shift(metric, rank):
    """Uneven numbers of frames; only the second rank meets fog, neither many of night."""
    metric.update(torch.tensor([0.1, 0.4, 0.2][: 3 - rank]), None)
    if rank == 1:
        metric.update(torch.tensor([0.3, 0.5]), 'fog')
    metric.update(torch.tensor([0.2 + rank]), 'night')


@pytest.fixture(scope='module')
def of_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gloo')
    multiprocessing.spawn(run_rank, args=(folder,), nprocs=2)
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in (0, 1)]


@pytest.mark.parametrize('name', GROUPS)
@pytest.mark.parametrize('later', [False, True])
def test_two_processes_compute_what_one_does(of_ranks, name, later):
    create, batch = GROUPS[name]
    group = create()
    for rank, images in enumerate(IMAGES_OF_RANK):
        group.update(**batch(images, seed=rank))
        if later:
            group.update(**batch(1, seed=10 + rank))
    expected = [group.compute(), group.curves()]
    for results in of_ranks:
        assert_same_figures(results[f'{name}, later' if later else name], expected)


@pytest.mark.parametrize('name', GROUPS)
def test_a_process_without_frames_computes_what_the_other_saw(of_ranks, name):
    create, batch = GROUPS[name]
    group = create()
    group.update(**batch(2, seed=0))
    expected = [group.compute(), group.curves()]
    for results in of_ranks:
        assert_same_figures(results[f'{name}, one rank idle'], expected)


def test_shift_scores_of_uneven_processes_are_pooled(of_ranks):
    metric = ShiftAUROC(['fog', 'night'])
    for rank in (0, 1):
        feed_shift(metric, rank)
    expected = {kind: value.item() for kind, value in metric.compute().items()}
    assert of_ranks == [{**results, 'shift': expected} for results in of_ranks]
