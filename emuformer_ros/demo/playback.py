"""How frames are sent to the node: each after the last one's maps, or at a fixed rate."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

from emuformer_ros.bags.cameras import CameraFrame
from emuformer_ros.demo import DemoError
from emuformer_ros.demo.node_process import NodeProcess
from emuformer_ros.demo.player import Player, restamped
from emuformer_ros.demo.recorder import FrameRecord, Recorder
from emuformer_ros.demo.session import Session

_DEADLINE_S = 30.0
"""For the maps of a frame: a large network at a high resolution on a slow machine."""

_SUBSCRIPTION_DEADLINE_S = 30.0
_TRIAL_PERIOD_S = 1.0
_TRIALS_FOR_CAMERA_INFO = 3
_FAILURES_IN_A_ROW = 2

_LEAST_SPIN_S = 0.005
"""Between two frames: enough to handle the maps of one."""

OnFrame = Callable[[], None]


class Playback:
    """Sends frames through the node and waits for what comes back."""

    def __init__(
        self, session: Session, process: NodeProcess, player: Player, recorder: Recorder
    ) -> None:
        self._session = session
        self._process = process
        self._player = player
        self._recorder = recorder

    def connect(self, frames: Iterable[CameraFrame]) -> Iterator[CameraFrame]:
        """Send the first frame, on trial, until maps come back on all topics.

        Discovery goes on at both ends, topic by topic: that this end sees the other does not say
        that the other sees this one. A frame on trial has a stamp of its own and is not recorded.

        Returns:
            All the frames, to be played.

        Raises:
            DemoError: If there is no frame, or a topic stays silent.
        """
        frames = iter(frames)
        first = next(frames, None)
        if first is None:
            raise DemoError('the recording has no frames: choose another topic')
        self._await_subscription()
        trial = restamped(first, abs(first.stamp_ns - 10**6))
        record = self._recorder.expect(trial, recorded=False)
        deadline = time.monotonic() + _DEADLINE_S

        def has_answered() -> bool:
            return self._recorder.discover() and record.is_complete()

        for trials in itertools.count(1):
            self._recorder.discover()
            self._player.publish(trial)
            if self._session.spin_until(has_answered, _TRIAL_PERIOD_S, self._process):
                break
            # A camera that is not calibrated sends CameraInfo that the node cannot pass on.
            if trials >= _TRIALS_FOR_CAMERA_INFO and self._recorder.waive_camera_info(record):
                break
            if time.monotonic() > deadline:
                raise self._silence(record)
        return itertools.chain([first], frames)

    def play_paced(self, frames: Iterable[CameraFrame], on_frame: OnFrame) -> None:
        """Send each frame when all maps of the one before have arrived, so that none is dropped.

        Raises:
            DemoError: If the node ends, or several frames in a row remain without their maps.
        """
        failures = 0
        for frame in frames:
            record = self._recorder.expect(frame)
            record.published_s = self._player.publish(frame)
            self._session.spin_until(record.is_complete, _DEADLINE_S, self._process)
            failures = 0 if record.is_complete() else failures + 1
            if failures == _FAILURES_IN_A_ROW:
                raise self._silence(record)
            on_frame()

    def play_at_rate(
        self, frames: Iterable[CameraFrame], rate_hz: float, on_frame: OnFrame
    ) -> None:
        """Send a frame every 1/rate seconds, as a camera does; the node drops what comes too fast.

        It takes 5 ms at least to handle what comes back in between: 200 frames a second at most.

        Raises:
            DemoError: If the node ends.
        """
        start = time.monotonic()
        record = None
        for index, frame in enumerate(frames):
            due_s = start + index / rate_hz - time.monotonic()
            # Maps count from when they are handled, also where frames are late.
            self._session.spin_for(max(due_s, _LEAST_SPIN_S), self._process)
            record = self._recorder.expect(frame)
            record.published_s = self._player.publish(frame)
            on_frame()
        # The latest frame wins, so the last one comes out.
        if record is not None:
            self._session.spin_until(record.is_complete, _DEADLINE_S, self._process)

    def _await_subscription(self) -> None:
        if not self._session.spin_until(
            self._player.is_connected, _SUBSCRIPTION_DEADLINE_S, self._process
        ):
            raise self._process.failure(
                f'the perception node did not subscribe to {self._player.image_topic} and '
                f'{self._player.camera_info_topic} within {_SUBSCRIPTION_DEADLINE_S:g} s'
            )

    def _silence(self, record: FrameRecord) -> DemoError:
        silent = ', '.join(sorted(record.missing)) or 'any map'
        return self._process.failure(
            f'the perception node was sent a frame and did not publish {silent} within '
            f'{_DEADLINE_S:g} s'
        )
