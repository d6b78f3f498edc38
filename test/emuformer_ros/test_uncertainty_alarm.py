import math

import pytest

from emu_model.checkpoint import CheckpointInfo
from emuformer_ros.health.uncertainty_alarm import (
    AlarmLevels,
    AlarmState,
    UncertaintyAlarm,
    UncertaintyAlarms,
    normal_levels,
)

N, E, A = AlarmState.NORMAL, AlarmState.EXCESS, AlarmState.ALARM
LEVELS = AlarmLevels(raise_above=2.0, clear_below=1.0)


def states(means, period_s=0.5, hold_s=1.0):
    alarm = UncertaintyAlarm(LEVELS, hold_s)
    return [alarm.update(index * period_s, mean) for index, mean in enumerate(means)]


def test_an_alarm_is_raised_when_the_excess_has_lasted():
    assert states([1, 3, 3, 3, 3]) == [N, E, E, A, A]


def test_an_excess_that_is_interrupted_is_no_alarm():
    assert states([3, 3, 1.5, 3, 3, 1.5]) == [E, E, N, E, E, N]


def test_a_mean_at_the_level_is_no_excess():
    assert states([2, 2, 2, 2]) == [N, N, N, N]


def test_an_alarm_stays_between_the_levels_and_ends_when_calm_has_lasted():
    assert states([3, 3, 3, 1.5, 1.5, 1.5, 1.5, 0.5, 0.5, 0.5]) == [E, E, A, A, A, A, A, A, A, N]


def test_a_calm_that_is_interrupted_does_not_end_an_alarm():
    assert states([3, 3, 3, 0.5, 0.5, 1.5, 0.5, 0.5, 0.5]) == [E, E, A, A, A, A, A, A, N]


def test_an_uncertainty_that_is_not_a_number_is_an_excess():
    assert states([math.nan, math.inf, math.nan]) == [E, E, A]


def test_without_holding_every_frame_decides():
    assert states([1, 3, 1.5, 1, 3], hold_s=0) == [N, A, A, N, A]


def test_a_stamp_that_jumps_back_starts_the_waiting_anew():
    alarm = UncertaintyAlarm(LEVELS, 1.0)
    found = [alarm.update(stamp, 3) for stamp in (10.0, 10.5, 0.0, 0.5, 1.0)]
    assert found == [E, E, E, E, A]


def test_images_out_of_order_do_not_keep_an_alarm_from_being_raised_or_from_ending():
    # At 30 Hz, one image of each half second is stamped 40 ms late.
    stamps = [index / 30 - (0.04 if index % 15 == 14 else 0) for index in range(180)]
    alarm = UncertaintyAlarm(LEVELS, 1.0)
    found = [alarm.update(stamp, 3 if stamp < 3 else 0.5) for stamp in stamps]
    raised, ended = found.index(A), len(found) - 1 - found[::-1].index(A)
    assert stamps[raised] == pytest.approx(1.0, abs=0.1)
    assert stamps[ended] == pytest.approx(4.0, abs=0.1)
    assert found[-1] is N


@pytest.mark.parametrize(
    ('back_to_s', 'state'),
    [
        (11.5, A),  # images out of order
        (5.0, E),
    ],
)
def test_an_alarm_outlives_images_out_of_order_but_not_a_jump_back(back_to_s, state):
    alarms = UncertaintyAlarms({'entropy': LEVELS}, hold_s=1.0)
    before = [alarms.update(stamp, {'entropy': 3.0}) for stamp in (10.0, 11.0, 12.0)]

    assert before == [E, A, A]
    assert alarms.update(back_to_s, {'entropy': 3.0}) is state


def test_levels_are_the_quantiles_of_the_checkpoint():
    info = CheckpointInfo(
        'SegDepthFormer',
        'mit_b0',
        256,
        normal_uncertainty={
            'entropy': {'frame_mean': {'0.95': 0.3, '0.99': 0.4}, 'pixel': {'0.99': 9.0}},
            'depth_std': {'pixel': {'0.95': 1.0, '0.99': 2.0}},
        },
    )
    assert normal_levels(info) == {'entropy': AlarmLevels(raise_above=0.4, clear_below=0.3)}
    assert normal_levels(CheckpointInfo('SegFormer', 'mit_b0', 256)) == {}


def test_the_worst_of_several_uncertainties_counts_and_is_named():
    alarms = UncertaintyAlarms({'entropy': LEVELS, 'depth_std': LEVELS}, hold_s=1.0)
    found = [
        alarms.update(second, {'entropy': 0.5, 'depth_std': 3.0, 'other': 9.0})
        for second in (0.0, 1.0)
    ]
    assert found == [E, A]
    assert alarms.active() == ('depth_std',)


def test_without_levels_there_is_no_state():
    assert UncertaintyAlarms({}).update(0.0, {'entropy': 9.0}) is None


def test_levels_and_times_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match='end above 3 and begin above 2'):
        AlarmLevels(raise_above=2, clear_below=3)
    with pytest.raises(ValueError, match='hold_s is -1'):
        UncertaintyAlarm(LEVELS, -1)
