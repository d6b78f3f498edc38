import pytest

from emuformer_ros.health import frame_statistics
from emuformer_ros.health.frame_statistics import FrameStatistics


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until its time is set."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(frame_statistics.time, 'monotonic', lambda: Clock.now)
    return Clock


def test_frames_are_counted_by_what_became_of_them(clock):
    statistics = FrameStatistics()
    for _ in range(6):
        statistics.receive()
    statistics.process(0.1)
    statistics.process(0.1)
    statistics.skip()
    assert statistics.refuse('bad') == 1
    assert statistics.refuse('worse') == 2
    assert statistics.fail('out of memory') == 1

    report = statistics.report()

    assert (report.received, report.processed, report.skipped) == (6, 2, 1)
    assert (report.refused, report.failed) == (2, 1)
    assert (report.last_refusal, report.last_failure) == ('worse', 'out of memory')


def test_latency_percentiles_are_those_of_the_window(clock):
    statistics = FrameStatistics(window_s=5.0)
    statistics.process(9.0)
    clock.now += 6.0
    for milliseconds in range(101):
        statistics.process(milliseconds / 1e3)

    assert statistics.report().latency_ms == pytest.approx((50.0, 95.0, 99.0))


def test_the_rate_is_that_of_the_window(clock):
    statistics = FrameStatistics(window_s=5.0)
    for _ in range(100):
        statistics.process(0.01)
        clock.now += 0.1

    # Of ten seconds at 10 Hz, the last five are in the window.
    assert statistics.report().rate_hz == pytest.approx(10.0, abs=0.2)


def test_the_interval_is_that_between_the_last_two_images(clock):
    statistics = FrameStatistics()
    assert statistics.report().interval_s == 0.0
    for pause_s in (0.0, 0.5, 5.0):
        clock.now += pause_s
        statistics.receive()
        assert statistics.report().interval_s == pytest.approx(pause_s)


def test_there_is_no_rate_or_latency_when_nothing_is_processed_any_more(clock):
    statistics = FrameStatistics(window_s=5.0)
    statistics.process(0.1)
    clock.now += 5.1

    report = statistics.report()

    assert report.rate_hz == 0.0
    assert report.latency_ms is None
    assert report.processed == 1


def test_silence_is_the_time_since_the_last_image(clock):
    statistics = FrameStatistics()
    assert statistics.report().silent_s == float('inf')

    statistics.receive()
    clock.now += 2.5

    assert statistics.report().silent_s == pytest.approx(2.5)


def test_images_with_odd_stamps_are_counted_and_the_last_age_shown(clock):
    statistics = FrameStatistics()
    assert statistics.report().last_age_s is None

    statistics.receive(-3.0)
    statistics.get_ahead()
    statistics.receive(0.5)
    statistics.expire()

    report = statistics.report()
    assert (report.received, report.ahead, report.expired) == (2, 1, 1)
    assert report.last_age_s == 0.5

    statistics.receive()
    statistics.lack_stamp()

    report = statistics.report()
    assert (report.received, report.unstamped) == (3, 1)
    assert report.last_age_s is None


def test_a_restart_forgets_rate_and_latency_and_no_count(clock):
    statistics = FrameStatistics()
    statistics.receive()
    statistics.process(9.0)
    statistics.restart()
    assert statistics.report().latency_ms is None

    statistics.process(0.1)

    report = statistics.report()
    assert report.latency_ms == pytest.approx((100.0, 100.0, 100.0))
    assert (report.received, report.processed, report.time_jumps) == (1, 2, 1)
