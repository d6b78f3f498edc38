"""Whether a camera's images can be used as they arrive, and what is wrong with their time."""

from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from std_msgs.msg import Header

from emuformer_ros.health.frame_statistics import FrameReport, FrameStatistics
from emuformer_ros.health.stamps import StampMonitor, stamp_s
from emuformer_ros.throttling import at_most_every

_THROTTLE_S = 10.0

_AHEAD = (
    "synchronise the camera's clock with this machine's (chrony, PTP); for a recording set "
    'use_sim_time and play it with --clock'
)
_TOO_OLD = (
    "look for what delays the camera, synchronise its clock with this machine's, or raise "
    'max_age_s; for a recording set use_sim_time and play it with --clock'
)
_WENT_BACK = (
    "nothing to do if a recording loops, else check the camera's clock and that one camera alone "
    'publishes the topic'
)
_UNSTAMPED = (
    'have no stamp of their own (0, or one that stands still), so that the uncertainty alarm goes '
    'by their arrival: have the driver of the camera set header.stamp'
)
_AGELESS = (
    'it has no stamp of its own (0, or one that stands still), so that it may be older than '
    'max_age_s: have the driver of the camera set header.stamp, or set max_age_s to 0'
)
_NO_CLOCK = (
    'use_sim_time is true and no /clock arrives: play the recording with --clock, or set '
    'use_sim_time to false'
)


class InputHealth:
    """Checks the stamps of one camera's images, in the executor.

    Args:
        node: Gives the time.
        statistics: Counts what happens to the images.
        logger: The camera's.
    """

    def __init__(self, node: Node, statistics: FrameStatistics, logger: RcutilsLogger) -> None:
        self._node = node
        self._statistics = statistics
        self._logger = logger
        self._stamps = StampMonitor()

    def admit(self, header: Header, topic: str) -> float | None:
        """Count an image that arrives on a topic.

        Returns:
            When it was taken, in seconds of ROS time: its stamp, or now where it has none of its
            own; None if it is not to be processed.
        """
        if self._waits_for_clock():
            self._statistics.receive()
            self._node.get_logger().warning(_NO_CLOCK, **at_most_every(_THROTTLE_S))
            return stamp_s(header)
        now_s = self._now_s()
        check = self._stamps.check(stamp_s(header), now_s)
        if check.is_unset:
            return now_s if self._admit_unstamped(topic) else None
        self._statistics.receive(check.age_s)
        images = f"images on '{topic}'"
        if check.jump_back_s:
            self._statistics.restart()
            self._logger.warning(
                f'the stamps of {images} went back by {check.jump_back_s:.1f} s, so that alarm, '
                f'rate and latency start anew: {_WENT_BACK}',
                **at_most_every(_THROTTLE_S),
            )
        if check.ahead_s:
            self._statistics.get_ahead()
            self._logger.warning(
                f'{images} are stamped {check.ahead_s:.1f} s in the future: {_AHEAD}',
                **at_most_every(_THROTTLE_S),
            )
        if check.is_older_than(self._max_age_s()):
            self._statistics.expire()
            self._logger.warning(
                f'{images} are dropped, {check.age_s:.1f} s old: {_TOO_OLD}',
                **at_most_every(_THROTTLE_S),
            )
            return None
        return stamp_s(header)

    def problems(self, report: FrameReport, before: FrameReport) -> list[str]:
        """What is wrong with the time of the images since an earlier report, and what to do."""
        problems = [_NO_CLOCK] if self._waits_for_clock() else []
        age_s = report.last_age_s or 0.0
        if count := report.unstamped - before.unstamped:
            problems.append(f'{count} images {_UNSTAMPED}')
        if count := report.ahead - before.ahead:
            problems.append(
                f'{count} images are stamped in the future, the last by {-age_s:.1f} s: {_AHEAD}'
            )
        if count := report.expired - before.expired:
            problems.append(
                f'{count} images dropped, older than max_age_s ({self._max_age_s():g} s), the '
                f'last by {age_s:.1f} s: {_TOO_OLD}'
            )
        if report.time_jumps > before.time_jumps:
            problems.append(f'the stamps of the images went back: {_WENT_BACK}')
        return problems

    def _admit_unstamped(self, topic: str) -> bool:
        """Refuse it where there is a limit on its age, which nobody knows."""
        self._statistics.receive()
        if self._max_age_s() > 0:
            self._statistics.refuse(_AGELESS)
            self._logger.error(
                f"cannot use an image on '{topic}': {_AGELESS}", **at_most_every(_THROTTLE_S)
            )
            return False
        self._statistics.lack_stamp()
        self._logger.warning(f"images on '{topic}' {_UNSTAMPED}", **at_most_every(_THROTTLE_S))
        return True

    def _max_age_s(self) -> float:
        return self._node.get_parameter('max_age_s').value

    def _now_s(self) -> float:
        return 1e-9 * self._node.get_clock().now().nanoseconds

    def _waits_for_clock(self) -> bool:
        clock = self._node.get_clock()
        return clock.ros_time_is_active and clock.now().nanoseconds == 0
