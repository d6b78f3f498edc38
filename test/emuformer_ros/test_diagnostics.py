from types import SimpleNamespace

from diagnostic_msgs.msg import DiagnosticStatus

from emuformer_ros.diagnostics import diagnostic_status
from emuformer_ros.frame_statistics import FrameStatistics

ENGINE = SimpleNamespace(name='torch', device='cuda:0', precision='fp32')


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_an_unconfigured_node_is_well_and_has_no_engine():
    status = diagnostic_status('/perception', 'unconfigured', FrameStatistics().report(), 0)

    assert (status.level, status.message) == (DiagnosticStatus.OK, 'unconfigured')
    assert status.name == 'perception: frames'
    assert values(status)['engine'] == ''
    assert values(status)['device'] == ''


def test_engine_device_and_counts_are_shown():
    statistics = FrameStatistics()
    statistics.receive()
    statistics.receive()
    statistics.process(0.02)
    status = diagnostic_status('/robot/perception', 'active', statistics.report(), 3, ENGINE)

    shown = values(status)
    assert status.name == 'robot/perception: frames'
    assert status.hardware_id == shown['device'] == 'cuda:0'
    assert (shown['engine'], shown['precision'], shown['state']) == ('torch', 'fp32', 'active')
    assert (shown['frames_received'], shown['frames_processed']) == ('2', '1')
    assert shown['frames_dropped'] == '3'
    assert shown['latency_p50_ms'] == shown['latency_p95_ms'] == '20.0'


def test_problems_make_a_warning_and_are_its_message():
    report = FrameStatistics().report()
    status = diagnostic_status(
        '/perception', 'active', report, 0, ENGINE, problems=('one thing', 'another')
    )

    assert status.level == DiagnosticStatus.WARN
    assert status.message == 'one thing; another'


def test_details_are_shown_as_they_are():
    report = FrameStatistics().report()
    status = diagnostic_status('/n', 'active', report, 0, details={'image_topic': '/camera/image'})

    assert values(status)['image_topic'] == '/camera/image'
