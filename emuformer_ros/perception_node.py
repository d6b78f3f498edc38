"""The lifecycle node `perception`: camera images in, maps and their uncertainties out."""

import os
import signal
import sys
import time
from types import FrameType
from typing import Any

import rclpy
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from emu_model.checkpoint import BUNDLED
from emu_model.engines import Engine, create_engine
from emuformer_ros.camera_input import CameraInput
from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.diagnostics import DiagnosticsPublisher
from emuformer_ros.frame_statistics import FrameStatistics
from emuformer_ros.mailbox import Mailbox
from emuformer_ros.outputs import MAP_TOPICS, MapTopic
from emuformer_ros.parameters import PARAMETERS, Change, ParameterSpec
from emuformer_ros.pipeline import Frame, Pipeline
from emuformer_ros.worker import Worker

_WARM_UP_SIZE = (480, 640)
_OUTPUT_QUEUE = 5
_ENDING = (signal.SIGINT, signal.SIGTERM)


class PerceptionNode(LifecycleNode):
    """Turns a camera's images into semantic, depth and uncertainty maps.

    configure loads the checkpoint and warms the engine, activate subscribes and processes,
    deactivate stops, cleanup frees the engine.

    Parameters: emuformer_ros.parameters.PARAMETERS.

    Subscriptions, while active:
        image (sensor_msgs/Image, or CompressedImage on <image>/compressed): the camera.
        camera_info (sensor_msgs/CameraInfo): beside the image topic unless remapped; optional.

    Publishers, for the tasks the network has (all with the image's stamp and frame_id):
        ~/semantic/image (sensor_msgs/Image, mono8): class ids.
        ~/semantic/uncertainty (sensor_msgs/Image, 32FC1): entropy, nats.
        ~/semantic/overlay (sensor_msgs/Image, rgb8): class colours over the image.
        ~/depth/image (sensor_msgs/Image, 32FC1): metres, NaN where not known.
        ~/depth/camera_info (sensor_msgs/CameraInfo): intrinsics of the depth image.
        ~/depth/uncertainty (sensor_msgs/Image, 32FC1): standard deviation, metres.
        /diagnostics (diagnostic_msgs/DiagnosticArray): in every state.
    """

    def __init__(self, **node_options) -> None:
        super().__init__('perception', **node_options)
        self._state = 'unconfigured'
        self._engine: Engine | None = None
        self._map_publishers: dict[MapTopic, Publisher] = {}
        self._camera: CameraInput | None = None
        self._pipeline: Pipeline | None = None
        self._worker: Worker | None = None
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._statistics = FrameStatistics()
        self.add_on_set_parameters_callback(self._check_parameters)
        for spec in PARAMETERS.values():
            self.declare_parameter(spec.name, spec.default, spec.descriptor())
        self._refuse_impossible_transitions()
        self._diagnostics = DiagnosticsPublisher(self, self._statistics, self._mailbox)
        # Not the node's clock: diagnostics go on while simulated time stands still.
        self._diagnostics_timer = self.create_timer(
            self._parameter('diagnostics_period_s'),
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the checkpoint and warm the engine; FAILURE, and why in the log, if it fails."""
        try:
            self._engine = self._create_engine()
        except Exception as error:  # whatever a runtime raises, the node can be configured again
            self.get_logger().error(f'cannot configure: {error}')
            return TransitionCallbackReturn.FAILURE
        qos = QoSProfile(depth=_OUTPUT_QUEUE, reliability=ReliabilityPolicy.RELIABLE)
        self._map_publishers = {
            topic: self.create_lifecycle_publisher(topic.message_type, topic.name, qos)
            for topic in MAP_TOPICS
            if topic.task in self._engine.info.tasks
        }
        self._state = 'inactive'
        return super().on_configure(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine."""
        self._free()
        self._state = 'unconfigured'
        return super().on_cleanup(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera and process what it sends."""
        self._camera = CameraInput(
            self,
            self._parameter('image_transport'),
            self._parameter('reliability'),
            self._receive,
        )
        self._pipeline = Pipeline(
            self._engine,
            self._camera,
            self._map_publishers,
            self._parameter,
            self._statistics,
            self.get_logger(),
        )
        self._worker = Worker(self._mailbox, self._pipeline.process)
        self.get_logger().info(f"waiting for images on '{self._camera.image_topic}'")
        self._state = 'active'
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and finish the frame that is being processed."""
        self._stop()
        self._state = 'inactive'
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, whatever state the node is in."""
        self._stop()
        self._free()
        self._state = 'finalized'
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition that failed half-way."""
        self.get_logger().error(f'transition from {state.label} failed: now unconfigured')
        self._stop()
        self._free()
        self._state = 'unconfigured'
        return TransitionCallbackReturn.SUCCESS

    def start(self) -> None:
        """Configure and activate; stays unconfigured, with the reason logged, if that fails."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def destroy_node(self) -> None:
        """End processing, then destroy the node."""
        self._stop()
        self._free()
        super().destroy_node()

    def _create_engine(self) -> Engine:
        height, width = self._parameter('network_height'), self._parameter('network_width')
        if bool(height) != bool(width):
            raise ValueError(
                f'network_height is {height} and network_width {width}: give both, or 0 for both'
            )
        engine = create_engine(
            os.path.expanduser(self._parameter('checkpoint')) or BUNDLED,
            self._parameter('engine'),
            self._parameter('device'),
            (height, width) if height else None,
            self._parameter('precision'),
        )
        engine.warm_up(engine.network_size or _WARM_UP_SIZE)
        self.get_logger().info(
            f'{engine.info.network} with {engine.info.backbone} runs on {engine.device} '
            f'({engine.name}, {engine.precision}; {engine.reason}): {", ".join(engine.outputs)}'
        )
        return engine

    def _stop(self) -> None:
        if self._camera is not None:
            self._camera.close()
        if self._worker is not None:
            self._worker.stop()
        self._camera = self._pipeline = self._worker = None

    def _free(self) -> None:
        for publisher in self._map_publishers.values():
            self.destroy_lifecycle_publisher(publisher)
        self._map_publishers = {}
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def _receive(self, message: Image | CompressedImage) -> None:
        self._statistics.receive()
        self._mailbox.put(Frame(message, time.monotonic()))

    def _parameter(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            spec = PARAMETERS.get(parameter.name)
            reason = spec and (spec.problem(parameter.value) or self._too_late(spec))
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _too_late(self, spec: ParameterSpec) -> str:
        """Why the parameter cannot be changed in this state; empty where it can."""
        if spec.change is Change.UNCONFIGURED:
            late = self._state in ('inactive', 'active')
        else:
            late = spec.change is Change.INACTIVE and self._state == 'active'
        if not late:
            return ''
        return f'the node is {self._state}; {spec.name} can be changed {spec.change.value}'

    def _refuse_impossible_transitions(self) -> None:
        """Answer a transition that the state does not have; rclpy ends the process over it."""
        service = next(s for s in self.services if s.srv_name.endswith('/change_state'))
        change_state = service.callback

        def answer(request: ChangeState.Request, response: ChangeState.Response):
            try:
                return change_state(request, response)
            except RuntimeError as error:  # RCLError
                if not self.context.ok():
                    raise
                self.get_logger().error(f'no such transition from {self._state}: {error}')
                response.success = False
                return response

        service.callback = answer

    def _publish_diagnostics(self) -> None:
        self._diagnostics.publish(self._state, self._engine, self._camera, self._pipeline)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; returns the exit code of the process."""
    try:
        return _run_until_interrupted(args)
    except KeyboardInterrupt:
        # A signal shuts ROS down before Python hears of it: the interrupt can come while the
        # error of that shutdown is already being handled.
        return 0


def _run_until_interrupted(args: list[str] | None) -> int:
    # Before rclpy.init, whose handlers call these: neither signal waits until a model is loaded.
    interrupt = _InterruptOnce()
    for number in _ENDING:
        signal.signal(number, interrupt)
    try:
        os.environ.update(profile_environment())
    except FileNotFoundError as error:
        print(f'large best-effort images may get lost: {error}', file=sys.stderr)
    try:
        rclpy.init(args=args)
        return _run()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except RuntimeError:  # RCLError
        # A signal shuts ROS down at once, in the middle of whatever the node was doing with it.
        if rclpy.ok():
            raise
        return 0
    finally:
        rclpy.try_shutdown()
        # Python gives signals their default effect back, to kill, before the process has ended.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)


class _InterruptOnce:
    """Interrupts the main thread at the first signal; a second must not interrupt how it ends."""

    def __init__(self) -> None:
        self._interrupted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt


def _run() -> int:
    try:
        node = PerceptionNode()
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        get_logger('perception').fatal(str(error))
        return 2
    try:
        executor = SingleThreadedExecutor()
        if node.get_parameter('autostart').value:
            node.start()
        rclpy.spin(node, executor)
    finally:
        node.destroy_node()
    return 0


if __name__ == '__main__':
    sys.exit(main())
