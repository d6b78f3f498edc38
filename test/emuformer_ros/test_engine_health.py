import pytest

from emuformer_ros.health.engine_health import HANG_S, EngineHealth, hang, hang_limit_s


@pytest.fixture
def told():
    """What the owner was told, one entry for each failure."""
    return []


@pytest.fixture
def health(told):
    return EngineHealth(lambda: told.append('failure'))


def test_only_failures_in_a_row_count(health, told):
    for _ in range(2):
        health.fail('out of memory')
        health.fail('out of memory')
        assert health.problem(3) == ''
        health.succeed()

    assert told == ['failure'] * 4


def test_at_the_limit_the_problem_names_count_reason_and_what_to_do(health):
    health.fail('first')
    health.fail('out of memory')
    problem = health.problem(2)

    assert "failed on 2 images in a row, the last time with 'out of memory'" in problem
    assert 'configure and activate the node again, or restart it' in problem


def test_without_a_limit_an_engine_is_never_given_up(health):
    for _ in range(1000):
        health.fail('again')

    assert health.problem(0) == ''


def test_an_engine_hangs_beyond_the_limit_and_the_problem_says_for_how_long():
    assert hang(0.0, 0.0) == hang(HANG_S, 0.0) == ''
    problem = hang(HANG_S + 2.3, 0.1)
    assert problem.startswith('the node has been at the same images for 7 s: if the')


def test_an_engine_that_has_always_been_slow_does_not_hang():
    assert hang_limit_s(0.1) == HANG_S
    assert hang_limit_s(27.5) > 2 * 27.5
    assert hang(30.0, 27.5) == ''
    assert hang(300.0, 27.5) != ''
