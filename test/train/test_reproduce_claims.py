import numpy as np
import pytest
from reproduced import result

from train.reproduce.claims import CLAIMS, FAILED, HELD, UNDECIDED, decide, difference_interval
from train.reproduce.results import ResultSet

BASELINE_CLAIM = CLAIMS[0].title


def verdicts(*results):
    decided = decide(ResultSet(results), 'mit_b0')
    return {v.figure: v for v in decided if v.claim.title == BASELINE_CLAIM}


def around(value, spread):
    return value + spread * np.linspace(-1, 1, 201)


@pytest.mark.parametrize(
    ('student', 'baseline', 'spread', 'verdict'),
    [
        (0.5, 0.4, 0.05, HELD),
        (0.4, 0.5, 0.05, FAILED),
        (0.5, 0.4, 0.2, UNDECIDED),
    ],
)
def test_a_claim_is_decided_by_the_interval_of_the_difference(student, baseline, spread, verdict):
    decided = verdicts(
        result(
            'emuformer',
            {'miou': student},
            resampled={'semantic.miou': around(student, spread)},
        ),
        result('single', {'miou': baseline}, resampled={'semantic.miou': np.full(201, baseline)}),
    )
    found = decided['semantic.miou']
    assert found.verdict == verdict
    assert found.difference == pytest.approx(student - baseline)
    # The middle 95 % of 201 evenly spread values.
    assert found.interval == pytest.approx(
        (student - baseline - 0.95 * spread, student - baseline + 0.95 * spread)
    )


def test_of_errors_less_is_better():
    decided = verdicts(
        result('emuformer', {'ece': 0.02}, {'rmse': 3.0, 'ause': 0.4}),
        result('single', {'ece': 0.03}, {'rmse': 2.5, 'ause': 0.4}),
    )
    assert decided['semantic.ece'].verdict == HELD
    assert decided['depth.rmse'].verdict == FAILED
    assert decided['depth.ause'].verdict == UNDECIDED


def test_what_makes_frames_hard_for_both_does_not_hide_a_difference():
    hard = np.random.default_rng(0).normal(0, 1, 500)
    decided = verdicts(
        result('emuformer', {'miou': 0.51}, resampled={'semantic.miou': 0.51 + hard}),
        result('single', {'miou': 0.5}, resampled={'semantic.miou': 0.5 + hard}),
    )
    assert decided['semantic.miou'].verdict == HELD


def test_seeds_that_disagree_leave_a_claim_undecided():
    students = [result('emuformer', {'miou': v}, seed=s) for s, v in enumerate((0.6, 0.45, 0.5))]
    baselines = [result('single', {'miou': 0.5}, seed=s) for s in range(3)]
    wide = [(r, np.full(400, r.figure('semantic.miou'))) for r in [*students, *baselines]]
    for r, values in wide:
        r.resampled['semantic.miou'] = values
    found = verdicts(*students, *baselines)['semantic.miou']
    assert found.verdict == UNDECIDED
    assert found.by_seed == pytest.approx((0.1, -0.05, 0.0))
    # The extremes of 400 draws of three seeds are those of drawing one seed thrice.
    assert found.interval == pytest.approx((-0.05, 0.1), abs=0.02)


def test_repetitions_of_other_seeds_are_no_pairs():
    students = [result('emuformer', {'miou': 0.5}, seed=s) for s in (0, 2)]
    baselines = [result('single', {'miou': v}, seed=s) for s, v in enumerate((0.4, 0.5))]
    for r in (*students, *baselines):
        r.resampled['semantic.miou'] = np.full(400, r.figure('semantic.miou'))
    found = verdicts(*students, *baselines)['semantic.miou']
    assert found.difference == pytest.approx(0.05)
    assert found.by_seed == ()


def test_repetitions_are_drawn_in_pairs():
    rng = np.random.default_rng(1)
    start = rng.normal(0, 1, (3, 1))
    better = [np.full(300, value + 0.1) for value in start[:, 0]]
    than = [np.full(300, value) for value in start[:, 0]]
    assert difference_interval(better, than, paired=True) == pytest.approx((0.1, 0.1))


def test_one_teacher_is_compared_with_each_student():
    students = [np.full(50, 1.0), np.full(50, 2.0)]
    low, high = difference_interval(students, [np.full(50, 0.5)], paired=False)
    assert (low, high) == pytest.approx((0.5, 1.5))


@pytest.mark.parametrize(('student_ms', 'verdict'), [(5.0, HELD), (12.0, HELD), (12.5, FAILED)])
def test_a_time_is_longer_where_the_middle_halves_lie_apart(student_ms, verdict):
    # The quartiles are a tenth below and above: 10.8 and 11.25 against 11.
    decided = verdicts(
        result('emuformer', {'miou': 0.5}, ms=student_ms), result('single', {'miou': 0.5}, ms=10.0)
    )
    assert decided['inference_ms.median'].verdict == verdict
    assert decided['inference_ms.median'].interval is None


def test_the_papers_differences_stand_beside():
    decided = verdicts(
        result('emuformer', {'miou': 0.5}, {'ause': 1.0}),
        result('single', {'miou': 0.5}, {'ause': 1.0}),
    )
    assert decided['semantic.miou'].in_paper == {'nyuv2': 0.009, 'cityscapes': 0.014}
    assert decided['depth.ause'].in_paper == {}


def test_a_claim_without_both_sides_is_not_decided():
    assert decide(ResultSet([result('emuformer', {'miou': 0.5})]), 'mit_b0') == []
    other = result('single', {'miou': 0.5}, backbone='mit_b2')
    assert decide(ResultSet([result('emuformer', {'miou': 0.5}), other]), 'mit_b0') == []
