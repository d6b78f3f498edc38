"""What the node says of itself and of its cameras on /diagnostics."""

import time
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from emu_model.engines import Engine
from emuformer_ros.camera.camera import Camera
from emuformer_ros.camera.qos import overridable
from emuformer_ros.health.frame_statistics import LATENCY_PERCENTILES, FrameReport
from emuformer_ros.health.process_usage import gpu_memory_mb, process_usage

_SILENCE_S = 3.0
"""Seconds without an image after which an active node says so, but of a slow camera."""

_MISSED_INTERVALS, _LONGEST_SILENCE_S = 2.5, 30.0
"""A slow camera has so many of its intervals, up to so many seconds."""


class DiagnosticsPublisher:
    """Publishes a status of the node and two of each camera: its frames and its uncertainty.

    Args:
        node: The node that it speaks for.

    Raises:
        ValueError: If a user's override of the topic's quality of service does not exist.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._cameras: dict[Camera, CameraDiagnostics] = {}
        try:
            self._publisher = node.create_publisher(
                DiagnosticArray, '/diagnostics', 10, qos_overriding_options=overridable()
            )
        except RuntimeError as error:
            raise ValueError(f"topic '/diagnostics': {error}") from error

    def publish(
        self, state: str, engine: Engine | None, cameras: Sequence[Camera], problem: str
    ) -> None:
        """Publish a message.

        Args:
            state: Lifecycle state of the node.
            engine: What runs the network; None while there is none.
            cameras: The cameras that there are now.
            problem: What is wrong with the node, and what to do; empty where nothing is.
        """
        self._cameras = {
            camera: self._cameras.get(camera) or CameraDiagnostics(self._node, camera)
            for camera in cameras
        }
        message = DiagnosticArray(status=[self._node_status(state, engine, problem)])
        for each in self._cameras.values():
            message.status += [each.frames(state), each.uncertainty(state)]
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _node_status(self, state: str, engine: Engine | None, problem: str) -> DiagnosticStatus:
        """ERROR where something is wrong with the node."""
        values: dict[str, object] = {
            'state': state,
            'engine': engine.name if engine else '',
            'device': engine.device if engine else '',
            'precision': engine.precision if engine else '',
        }
        if usage := process_usage():
            values['memory_mb'] = f'{usage.memory_mb:.0f}'
            values['peak_memory_mb'] = f'{usage.peak_memory_mb:.0f}'
        if engine and (gpu_mb := gpu_memory_mb(engine.device)) is not None:
            values['gpu_memory_mb'] = f'{gpu_mb:.0f}'
        status = make_status(f'{node_label(self._node)}: node', state, values)
        if problem:
            status.level, status.message = DiagnosticStatus.ERROR, problem
        status.hardware_id = str(values['device'])
        return status


class CameraDiagnostics:
    """What there is to say of one camera.

    Args:
        node: The node that it belongs to.
        camera: The camera.
    """

    def __init__(self, node: Node, camera: Camera) -> None:
        self._node = node
        self._camera = camera
        self._reported = camera.statistics.report()
        self._silence = ''
        self._alarmed = False

    def frames(self, state: str) -> DiagnosticStatus:
        """What becomes of its frames; WARN if something went wrong since the last status."""
        camera, report = self._camera, self._camera.statistics.report()
        values = {**frame_values(report, camera.slot.dropped), **_details(camera)}
        problems = self._problems(report)
        self._reported = report
        return make_status(self._label('frames'), state, values, problems)

    def uncertainty(self, state: str) -> DiagnosticStatus:
        """How uncertain the network is; WARN during an alarm."""
        watch, label = self._camera.watch, self._label('uncertainty')
        problems = watch.problems()
        if problems and not self._alarmed:
            self._camera.logger.warning(f'{label}: {"; ".join(problems)}')
        elif self._alarmed and not problems:
            now = 'is normal again' if watch.values() else 'is not watched any more'
            self._camera.logger.info(f'{label}: uncertainty {now}')
        self._alarmed = bool(problems)
        return make_status(label, watch.why_not() or state, watch.values(), problems)

    def _label(self, part: str) -> str:
        words = f'{self._camera.name} {part}' if self._camera.name else part
        return f'{node_label(self._node)}: {words}'

    def _problems(self, report: FrameReport) -> list[str]:
        """What went wrong since the last message."""
        problems = []
        if silence := self._explain_silence(report):
            problems.append(silence)
        if refused := report.refused - self._reported.refused:
            problems.append(f'{refused} images refused, the last: {report.last_refusal}')
        if failed := report.failed - self._reported.failed:
            problems.append(f'{failed} images failed, the last: {report.last_failure}')
        problems += self._camera.health.problems(report, self._reported)
        return problems + self._problems_of_depth()

    def _problems_of_depth(self) -> list[str]:
        """What those who subscribe to depth should know."""
        camera, topics = self._camera, self._camera.subscribers()
        problems = []
        if camera.info_problem and any(topic.task == 'depth' for topic in topics):
            problems.append(camera.info_problem)
        if camera.limits_problem and any(topic.is_limited for topic in topics):
            problems.append(camera.limits_problem)
        return problems

    def _explain_silence(self, report: FrameReport) -> str:
        """Why no image arrives, logged when it changes; empty while images arrive."""
        silence, camera = '', self._camera.input
        if camera is not None:
            subscribed_s = time.monotonic() - camera.subscribed_at_s
            if min(subscribed_s, report.silent_s) > _patience_s(report):
                silence = camera.silence()
        if silence and silence != self._silence:
            self._camera.logger.warning(silence)
        self._silence = silence
        return silence


def _patience_s(report: FrameReport) -> float:
    """How long no image may come before that is a problem."""
    return max(_SILENCE_S, min(_MISSED_INTERVALS * report.interval_s, _LONGEST_SILENCE_S))


def node_label(node: Node) -> str:
    """What the names of a node's statuses begin with."""
    return node.get_fully_qualified_name().lstrip('/')


def make_status(
    name: str, summary: str, values: Mapping[str, object], problems: Sequence[str] = ()
) -> DiagnosticStatus:
    """A status message.

    Args:
        name: Of what the status is, after the node.
        summary: What to say where there is no problem.
        values: What to show.
        problems: What a user should look at; the status is WARN if there is any.
    """
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
        name=name,
        message='; '.join(problems) or summary,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def frame_values(report: FrameReport, dropped: int) -> dict[str, object]:
    """What to show of a camera's frames.

    Args:
        report: What happened to them.
        dropped: Images that a later one replaced before they were processed.
    """
    values = {
        'frames_received': report.received,
        'frames_processed': report.processed,
        'frames_dropped': dropped,
        'frames_too_old': report.expired,
        'frames_from_future': report.ahead,
        'frames_unstamped': report.unstamped,
        'frames_skipped': report.skipped,
        'frames_refused': report.refused,
        'frames_failed': report.failed,
        'rate_hz': f'{report.rate_hz:.1f}',
        'last_refusal': report.last_refusal,
        'last_failure': report.last_failure,
        'time_jumps': report.time_jumps,
    }
    if report.last_age_s is not None:
        values['last_age_s'] = f'{report.last_age_s:.3f}'
    for percentile, latency_ms in zip(LATENCY_PERCENTILES, report.latency_ms or ()):
        values[f'latency_p{percentile}_ms'] = f'{latency_ms:.1f}'
    return values


def _details(camera: Camera) -> dict[str, object]:
    """What is connected to a camera, and what its depth rests on; nothing while not active."""
    if camera.input is None:
        return {}
    subscribers = [
        f'{camera.publishers[topic].topic_name} ({count})'
        for topic, count in camera.subscribers().items()
    ]
    return {
        'image_topic': camera.input.image_topic,
        'image_publishers': camera.input.image_publishers,
        'camera_info_topic': camera.input.info_topic,
        'camera_info_publishers': camera.input.info_publishers,
        'map_subscribers': ', '.join(subscribers),
        'depth_scale': f'{camera.depth_scale:.4f}',
        'depth_assumption': camera.info_problem,
        'depth_limits_problem': camera.limits_problem,
    }
