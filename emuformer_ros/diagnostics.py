"""What the node says of itself on /diagnostics."""

import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from emu_model.engines import Engine
from emuformer_ros.camera_input import CameraInput
from emuformer_ros.frame_statistics import FrameReport, FrameStatistics
from emuformer_ros.mailbox import Mailbox
from emuformer_ros.pipeline import Pipeline

_SILENCE_S = 3.0
"""Seconds without an image after which an active node says so."""


class DiagnosticsPublisher:
    """Publishes what the node says of itself.

    Args:
        node: The node that it speaks for.
        statistics: What happens to the frames.
        mailbox: Where frames are dropped.
    """

    def __init__(self, node: Node, statistics: FrameStatistics, mailbox: Mailbox) -> None:
        self._node = node
        self._statistics = statistics
        self._mailbox = mailbox
        self._reported = statistics.report()
        self._silence = ''
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def publish(
        self,
        state: str,
        engine: Engine | None,
        camera: CameraInput | None,
        pipeline: Pipeline | None,
    ) -> None:
        """Publish a message.

        Args:
            state: Lifecycle state of the node.
            engine: What runs the network; None while there is none.
            camera: Where images come from; None while the node is not active.
            pipeline: What the images go through; None while the node is not active.
        """
        report = self._statistics.report()
        status = diagnostic_status(
            self._node.get_fully_qualified_name(),
            state,
            report,
            self._mailbox.dropped,
            engine,
            _details(camera, pipeline) if camera and pipeline else {},
            self._problems(report, camera),
        )
        self._reported = report
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _problems(self, report: FrameReport, camera: CameraInput | None) -> list[str]:
        """What went wrong since the last message."""
        problems = []
        if silence := self._explain_silence(report, camera):
            problems.append(silence)
        if refused := report.refused - self._reported.refused:
            problems.append(f'{refused} images refused, the last: {report.last_refusal}')
        if failed := report.failed - self._reported.failed:
            problems.append(f'{failed} images failed, the last: {report.last_failure}')
        return problems

    def _explain_silence(self, report: FrameReport, camera: CameraInput | None) -> str:
        """Why no image arrives, logged when it changes; empty while images arrive."""
        silence = ''
        if camera is not None:
            subscribed_s = time.monotonic() - camera.subscribed_at_s
            if min(subscribed_s, report.silent_s) > _SILENCE_S:
                silence = camera.silence()
        if silence and silence != self._silence:
            self._node.get_logger().warning(silence)
        self._silence = silence
        return silence


def diagnostic_status(
    node_name: str,
    state: str,
    report: FrameReport,
    dropped: int,
    engine: Engine | None = None,
    details: dict[str, str] | None = None,
    problems: Sequence[str] = (),
) -> DiagnosticStatus:
    """A status message.

    Args:
        node_name: Full name of the node.
        state: Lifecycle state of the node.
        report: What happened to the frames.
        dropped: Images that a later one replaced before they were processed.
        engine: What runs the network; None while there is none.
        details: Further values to show.
        problems: What a user should look at; the status is WARN if there is any.
    """
    values = {
        'state': state,
        'engine': engine.name if engine else '',
        'device': engine.device if engine else '',
        'precision': engine.precision if engine else '',
        'frames_received': report.received,
        'frames_processed': report.processed,
        'frames_dropped': dropped,
        'frames_skipped': report.skipped,
        'frames_refused': report.refused,
        'frames_failed': report.failed,
        'rate_hz': f'{report.rate_hz:.1f}',
        'last_refusal': report.last_refusal,
        'last_failure': report.last_failure,
        **(details or {}),
    }
    if report.latency_ms:
        values['latency_p50_ms'], values['latency_p95_ms'] = map(
            '{:.1f}'.format, report.latency_ms
        )
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
        name=f'{node_name.lstrip("/")}: frames',
        message='; '.join(problems) or state,
        hardware_id=engine.device if engine else '',
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def _details(camera: CameraInput, pipeline: Pipeline) -> dict[str, str]:
    subscribers = [f'{topic.name} ({count})' for topic, count in pipeline.subscribers().items()]
    return {
        'image_topic': camera.image_topic,
        'image_publishers': str(camera.image_publishers),
        'camera_info_topic': camera.info_topic,
        'camera_info_publishers': str(camera.info_publishers),
        'map_subscribers': ', '.join(subscribers),
        'depth_scale': f'{pipeline.depth_scale:.4f}',
        'depth_assumption': pipeline.info_problem,
    }
