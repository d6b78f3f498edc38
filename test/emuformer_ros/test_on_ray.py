"""Which part of a Ray cluster an evaluation takes; with no cluster."""

from types import SimpleNamespace

import pytest

from emuformer_ros.bag_evaluation import EvaluationError, on_ray
from emuformer_ros.bag_evaluation.on_ray import Machine, evaluate_on_ray, share_machines


def fitting(machines, cpus, gpus):
    """How many engines fit when they are placed one by one, as Ray does."""
    free = [[machine.cpus, machine.gpus] for machine in machines]
    placed = 0
    while True:
        place = next((each for each in free if each[0] >= cpus and each[1] >= gpus), None)
        if place is None:
            return placed
        place[0] -= cpus
        place[1] -= gpus
        placed += 1


@pytest.mark.parametrize(
    ('machines', 'asked', 'gpus', 'expected'),
    [
        ([Machine(2)], 1, 0, (1, 2)),
        ([Machine(2)], 4, 0, (2, 1)),
        ([Machine(8), Machine(8)], 2, 0, (2, 8)),
        ([Machine(4), Machine(16)], 2, 0, (2, 8)),
        ([Machine(4), Machine(16), Machine(0)], 3, 0, (3, 5)),
        ([Machine(16, 1), Machine(16, 2)], 3, 1, (3, 8)),
        ([Machine(16, 1), Machine(16)], 2, 1, (1, 16)),
    ],
)
def test_all_engines_have_room_at_the_same_time_and_as_many_cpus_as_there_are(
    machines, asked, gpus, expected
):
    engines, cpus = share_machines(machines, asked, gpus)
    assert (engines, cpus) == expected
    assert fitting(machines, cpus, gpus) >= engines
    assert fitting(machines, cpus + 1, gpus) < engines


@pytest.mark.parametrize(
    ('machine', 'gpus', 'reason'), [(Machine(0), 0, 'has a CPU to'), (Machine(8), 1, 'and a GPU')]
)
def test_a_cluster_without_room_for_an_engine_is_refused(machine, gpus, reason):
    with pytest.raises(EvaluationError, match=f'no machine of the Ray cluster .*{reason}'):
        share_machines([machine], 1, gpus)


@pytest.mark.parametrize(
    ('address', 'joined', 'reason'),
    [
        ('', 'local', 'Ray cannot be started here'),
        ('head:6379', 'head:6379', "no Ray cluster at 'head:6379'"),
    ],
)
def test_without_an_address_a_cluster_is_started_and_none_joined(
    address, joined, reason, monkeypatch
):
    asked = []

    def init(address, **_):
        asked.append(address)
        raise ConnectionError('nobody there')

    monkeypatch.setattr(on_ray, '_import_ray', lambda: SimpleNamespace(init=init))
    with pytest.raises(EvaluationError, match=reason):
        next(evaluate_on_ray(address, None, None, [], print))
    assert asked == [joined]
