import pytest
from std_msgs.msg import Header

from emuformer_ros.health.stamps import (
    FUTURE_TOLERANCE_S,
    JUMP_S,
    STILL_S,
    StampMonitor,
    stamp_s,
)


def test_a_stamp_is_seconds_and_nanoseconds():
    header = Header()
    header.stamp.sec, header.stamp.nanosec = 7, 250_000_000

    assert stamp_s(header) == 7.25


@pytest.mark.parametrize(
    ('stamp', 'ahead_s'),
    [(100.0, 0.0), (100.0 + FUTURE_TOLERANCE_S, 0.0), (103.0, 3.0), (50.0, 0.0)],
)
def test_a_stamp_beyond_the_tolerance_is_in_the_future(stamp, ahead_s):
    assert StampMonitor().check(stamp, 100.0).ahead_s == pytest.approx(ahead_s)


@pytest.mark.parametrize(
    ('stamp', 'max_age_s', 'too_old'),
    [(99.0, 0.5, True), (99.0, 1.0, False), (99.0, 0.0, False), (101.0, 0.5, False)],
)
def test_an_image_is_too_old_beyond_the_limit_and_never_without_one(stamp, max_age_s, too_old):
    assert StampMonitor().check(stamp, 100.0).is_older_than(max_age_s) == too_old


def test_a_recording_that_loops_jumps_back_once():
    monitor = StampMonitor()
    stamps = [10.0, 11.0, 12.0, 10.0, 11.0, 12.0]

    jumps = [monitor.check(stamp, 12.0).jump_back_s for stamp in stamps]

    assert jumps == [0.0, 0.0, 0.0, 2.0, 0.0, 0.0]


def test_images_that_overtake_each_other_are_no_jump():
    monitor = StampMonitor()
    stamps = [10.0, 10.1, 10.05, 10.15, 10.15 - JUMP_S]

    assert [monitor.check(stamp, 12.0).jump_back_s for stamp in stamps] == [0.0] * 5


@pytest.mark.parametrize(
    ('stamp', 'now_s', 'is_unset'),
    [
        (0.0, 1.8e9, True),
        (0.0, 60.0, True),
        (1e-9, 60.0, False),
        # Simulated time begins at 0.
        (0.0, 0.0, False),
        (0.0, 0.5, False),
    ],
)
def test_a_stamp_of_0_is_none_but_where_time_has_just_begun(stamp, now_s, is_unset):
    assert StampMonitor().check(stamp, now_s).is_unset == is_unset


def test_a_stamp_that_stands_still_while_the_clock_goes_on_is_none():
    monitor = StampMonitor()
    clock = [100.0, 100.5, 100.0 + STILL_S, 101.5, 60.0, 60.5]

    assert [monitor.check(99.9, now_s).is_unset for now_s in clock] == [False] * 3 + [True] + [
        False
    ] * 2
    assert not monitor.check(102.0, 102.0).is_unset
    assert not monitor.check(102.0, 102.0 + STILL_S).is_unset


def test_stamps_that_stand_still_with_the_clock_are_stamps():
    monitor = StampMonitor()

    assert not any(monitor.check(99.9, 100.0).is_unset for _ in range(5))


def test_images_without_a_stamp_are_no_jump_and_do_not_hide_one():
    monitor = StampMonitor()
    stamps = [100.0, 0.0, 100.1, 0.0, 50.0]

    assert [monitor.check(stamp, 101.0).jump_back_s for stamp in stamps] == pytest.approx(
        [0.0, 0.0, 0.0, 0.0, 50.1]
    )
