from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.sampler import EndlessSampler, EvaluationSampler

SIZES = st.integers(1, 40)
BATCHES = st.integers(1, 9)
WORLDS = st.integers(1, 5)


def steps(sampler: EndlessSampler, batch_size: int, count: int) -> list[list[tuple[int, int]]]:
    stream = iter(sampler)
    return [list(islice(stream, batch_size)) for _ in range(count)]


@given(SIZES, BATCHES, WORLDS, st.integers(0, 1000))
def test_all_processes_together_see_each_frame_once_an_epoch(size, batch_size, world, seed):
    epochs = 3
    count = -(-epochs * size // (batch_size * world))
    seen = Counter(
        pair
        for rank in range(world)
        for step in steps(EndlessSampler(size, batch_size, seed, rank, world), batch_size, count)
        for pair in step
    )
    whole = {(epoch, index) for epoch in range(epochs) for index in range(size)}
    assert all(seen[pair] == 1 for pair in whole)
    assert max(seen.values()) == 1


@given(SIZES, BATCHES, WORLDS, st.integers(0, 30))
def test_a_stream_started_at_a_step_is_the_rest_of_the_whole(size, batch_size, world, start):
    rank = world - 1
    whole = steps(EndlessSampler(size, batch_size, 5, rank, world), batch_size, start + 6)
    rest = EndlessSampler(size, batch_size, 5, rank, world, start_step=start)
    assert steps(rest, batch_size, 6) == whole[start:]


@pytest.mark.parametrize(('world', 'batch_size'), [(2, 6), (3, 4), (12, 1)])
def test_the_frames_of_a_step_do_not_depend_on_how_many_processes_share_them(world, batch_size):
    alone = steps(EndlessSampler(31, 12, 1), 12, 8)
    shared = [
        steps(EndlessSampler(31, batch_size, 1, rank, world), batch_size, 8)
        for rank in range(world)
    ]
    assert [[pair for rank in shared for pair in rank[step]] for step in range(8)] == alone


def test_epochs_and_seeds_have_orders_of_their_own():
    def order(seed: int, epoch: int) -> list[int]:
        return [i for _, i in islice(EndlessSampler(50, 1, seed), 50 * epoch, 50 * (epoch + 1))]

    orders = {tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16
    assert order(2, 3) == order(2, 3)


def test_the_stream_can_be_walked_again():
    sampler = EndlessSampler(7, 2, 0)
    assert list(islice(sampler, 20)) == list(islice(sampler, 20))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'size': 0, 'batch_size': 1}, 'size 0'),
        ({'size': 1, 'batch_size': 0}, 'batch size 0'),
        ({'size': 1, 'batch_size': 1, 'seed': -1}, 'seed -1'),
        ({'size': 1, 'batch_size': 1, 'start_step': -2}, 'start step -2'),
        ({'size': 1, 'batch_size': 1, 'rank': 2, 'world_size': 2}, 'rank 2 is outside of 0…1'),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EndlessSampler(**arguments)


@given(SIZES, WORLDS)
def test_evaluation_counts_each_frame_once_and_gives_processes_equal_work(size, world):
    shares = [list(EvaluationSampler(size, rank, world)) for rank in range(world)]
    assert {len(share) for share in shares} == {len(EvaluationSampler(size, 0, world))}
    counted = [index for share in shares for index, counts in share if counts]
    assert sorted(counted) == list(range(size))
    filling = [index for share in shares for index, counts in share if not counts]
    assert len(filling) < world
    assert all(0 <= index < size for index in filling)
