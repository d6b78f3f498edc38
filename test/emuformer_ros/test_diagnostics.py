from diagnostic_msgs.msg import DiagnosticStatus

from emuformer_ros.health.diagnostics import frame_values, make_status
from emuformer_ros.health.frame_statistics import FrameStatistics


def test_a_status_shows_values_as_they_are_and_is_well_without_problems():
    status = make_status('perception: node', 'unconfigured', {'engine': '', 'frames': 3})

    assert (status.level, status.message) == (DiagnosticStatus.OK, 'unconfigured')
    assert status.name == 'perception: node'
    assert {item.key: item.value for item in status.values} == {'engine': '', 'frames': '3'}


def test_problems_make_a_warning_and_are_its_message():
    status = make_status('perception: frames', 'active', {}, ('one thing', 'another'))

    assert status.level == DiagnosticStatus.WARN
    assert status.message == 'one thing; another'


def test_counts_and_latency_are_shown():
    statistics = FrameStatistics()
    statistics.receive()
    statistics.receive()
    statistics.process(0.02)
    shown = frame_values(statistics.report(), 3)

    assert (shown['frames_received'], shown['frames_processed']) == (2, 1)
    assert shown['frames_dropped'] == 3
    assert shown['latency_p50_ms'] == shown['latency_p95_ms'] == '20.0'
