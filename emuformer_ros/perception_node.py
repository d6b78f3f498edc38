"""The lifecycle node `perception`: camera images in, maps and their uncertainties out."""

import argparse
import gc
import os
import sys
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

from emu_model.checkpoint import BUNDLED
from emu_model.engines import Engine, create_engine, import_runtime
from emuformer_ros.camera.camera import Camera, Frame
from emuformer_ros.camera.mailbox import Mailbox
from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.health.diagnostics import DiagnosticsPublisher
from emuformer_ros.health.engine_health import EngineHealth, hang, hang_limit_s
from emuformer_ros.interruption import interruptible, run_until_interrupted
from emuformer_ros.parameters import PARAMETERS, Change, ParameterSpec, conflict
from emuformer_ros.pipeline import Pipeline
from emuformer_ros.service_guards import refuse_impossible_transitions, refuse_impossible_values
from emuformer_ros.shared_memory import remove_dead_segments
from emuformer_ros.throttling import at_most_every
from emuformer_ros.unknown_parameters import warn_of_unknown_parameters
from emuformer_ros.worker import Worker

_WARM_UP_SIZE = (480, 640)
_THROTTLE_S = 10.0


class PerceptionNode(LifecycleNode):
    """Turns the images of one camera or several into semantic, depth and uncertainty maps.

    configure loads the checkpoint and warms the engine, activate subscribes and processes,
    deactivate stops, cleanup frees the engine. All cameras share the engine and the thread that
    runs it.

    Parameters: emuformer_ros.parameters.PARAMETERS.

    Subscriptions, while active; under the camera's name where `cameras` names any:
        image (sensor_msgs/Image, or CompressedImage on <image>/compressed): the camera.
        camera_info (sensor_msgs/CameraInfo): beside the image topic unless remapped; optional.

    Publishers, while configured:
        ~/… (emuformer_ros.maps.outputs.MAP_TOPICS): the maps, with the image's stamp and frame_id;
            under ~/<camera>/… where `cameras` names any.
        /diagnostics (diagnostic_msgs/DiagnosticArray): in every state.

    Attributes:
        cameras: From configure to cleanup.

    Raises:
        InvalidParameterTypeException, InvalidParameterValueException, ValueError: If a parameter
            that it is started with cannot be used.
    """

    def __init__(self, **node_options) -> None:
        super().__init__('perception', **node_options)
        self._state = 'unconfigured'
        self._engine: Engine | None = None
        self.cameras: list[Camera] = []
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._worker: Worker | None = None
        self._problem = ''  # what is wrong, until a transition succeeds
        self._engine_health = EngineHealth(self._on_engine_failure)
        self.add_on_set_parameters_callback(self._check_parameters)
        for spec in PARAMETERS.values():
            self.declare_parameter(spec.name, spec.default, spec.descriptor())
        warn_of_unknown_parameters(self)
        refuse_impossible_transitions(self)
        refuse_impossible_values(self)
        self._diagnostics = DiagnosticsPublisher(self)
        # Not the node's clock: diagnostics go on while simulated time stands still.
        self._diagnostics_timer = self.create_timer(
            self._parameter('diagnostics_period_s'),
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the checkpoint and warm the engine; FAILURE, and why, if that fails."""
        try:
            self._engine = self._create_engine()
            for name in self._parameter('cameras'):
                self.cameras.append(Camera(self, name, self._engine.info, self._mailbox.slot()))
                self.cameras[-1].advertise()
        except Exception as error:  # whatever a runtime raises, the node can be configured again
            self._free()
            return self._fail(f'cannot configure: {error}')
        self._enter('inactive')
        return super().on_configure(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine."""
        self._free()
        self._enter('unconfigured')
        return super().on_cleanup(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and process what they send; FAILURE, and why, if it cannot."""
        try:
            for camera in self.cameras:
                camera.subscribe(
                    self._parameter('image_transport'), self._parameter('reliability')
                )
        except Exception as error:  # of several kinds: an override of QoS that is not allowed
            self.stop()
            return self._fail(f'cannot activate: {error}')
        self._engine_health.succeed()
        pipeline = Pipeline(
            self._engine,
            self._parameter,
            self.get_logger(),
            self._engine_health,
            self.context.ok,
        )
        self._worker = Worker(self._mailbox, pipeline.process, self._batch_size())
        topics = ', '.join(f"'{camera.input.image_topic}'" for camera in self.cameras)
        self.get_logger().info(f'waiting for images on {topics}')
        self._enter('active')
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and finish the frame that is being processed.

        FAILURE, and the node goes on, while the engine does not answer. ERROR where it has failed
        too often, the one thing that is noted as wrong with an active node: on_error frees it.
        """
        if not self.stop():
            self.get_logger().error(f'cannot deactivate: {self._hang()}')
            self._worker.resume()
            self._problem = ''  # the next failure, if there is one, notes it again
            return TransitionCallbackReturn.FAILURE
        if self._problem:
            return TransitionCallbackReturn.ERROR
        self._enter('inactive')
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, whatever state the node is in."""
        if self.stop():
            self._free()
        self._enter('finalized')
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition that failed, or an engine that did."""
        self._problem = self._problem or f'transition from {state.label} failed'
        if not self.stop():
            self._state = 'finalized'
            return self._fail(f'now finalized: {self._hang()}')
        self.get_logger().error(f'now unconfigured: {self._problem}')
        self._free()
        self._state = 'unconfigured'
        return TransitionCallbackReturn.SUCCESS

    def start(self) -> None:
        """Configure and activate; stays unconfigured, with the reason logged, if that fails."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def stop(self) -> bool:
        """End processing and unsubscribe.

        Returns:
            Whether that is done: not while the engine does not answer.
        """
        worker = self._worker
        if worker is not None and not worker.stop(hang_limit_s(worker.last_s)):
            return False
        self._worker = None
        for camera in self.cameras:
            camera.unsubscribe()
        return True

    def destroy_node(self) -> None:
        """End processing, then destroy the node."""
        if self.stop():
            self._free()
        super().destroy_node()

    def _create_engine(self) -> Engine:
        height, width = self._parameter('network_height'), self._parameter('network_width')
        if bool(height) != bool(width):
            raise ValueError(
                f'network_height is {height} and network_width {width}: give both, or 0 for both'
            )
        checkpoint = os.path.expanduser(self._parameter('checkpoint')) or BUNDLED
        name, device = self._parameter('engine'), self._parameter('device')
        # Not to be interrupted: some of these modules end the process over an exception.
        import_runtime(checkpoint, name, device)
        with interruptible():
            engine = create_engine(
                checkpoint,
                name,
                device,
                (height, width) if height else None,
                self._parameter('precision'),
            )
            engine.warm_up(engine.network_size or _WARM_UP_SIZE)
        self.get_logger().info(
            f'{engine.info.network} with {engine.info.backbone} runs on {engine.device} '
            f'({engine.name}, {engine.precision}; {engine.reason}): {", ".join(engine.outputs)}'
        )
        if 'depth' in engine.info.tasks and 'depth_std' not in engine.info.trained_uncertainties:
            self.get_logger().warning(
                'this checkpoint was trained without a loss on its depth uncertainty: do not rely '
                'on ~/depth/uncertainty, which no alarm or limit is taken from either'
            )
        return engine

    def _batch_size(self) -> int:
        """How many frames that wait together are processed at once."""
        return self._parameter('max_batch') if self._engine.batches else 1

    def _enter(self, state: str) -> None:
        """Note that a transition has succeeded."""
        self._state, self._problem = state, ''

    def _fail(self, problem: str) -> TransitionCallbackReturn:
        """Say why a transition cannot be made: in the log, and on /diagnostics from now on."""
        self._problem = problem
        self.get_logger().error(problem)
        return TransitionCallbackReturn.FAILURE

    def _free(self) -> None:
        for camera in self.cameras:
            camera.destroy()
        self.cameras = []
        engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            engine.close()
        except Exception as error:  # a GPU that has failed for good fails at this too
            self.get_logger().error(
                f'cannot free the engine: {error}; if the node cannot be configured again, '
                'restart its process, which frees everything'
            )
        del engine
        # Compiled graphs and their caches refer to each other: else they would stay a while.
        gc.collect()

    def _parameter(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            spec = PARAMETERS.get(parameter.name)
            reason = spec and (spec.problem(parameter.value) or self._too_late(spec))
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        values = {name: self._parameter(name) for name in PARAMETERS if self.has_parameter(name)}
        values |= {parameter.name: parameter.value for parameter in parameters}
        reason = conflict(values)
        return SetParametersResult(successful=not reason, reason=reason)

    def _too_late(self, spec: ParameterSpec) -> str:
        """Why the parameter cannot be changed in this state; empty where it can."""
        if spec.change is Change.UNCONFIGURED:
            late = self._state in ('inactive', 'active')
        else:
            late = spec.change is Change.INACTIVE and self._state == 'active'
        if not late:
            return ''
        return f'the node is {self._state}; {spec.name} can be changed {spec.change.value}'

    def _on_engine_failure(self) -> None:
        """Have the executor look at it: transitions are not the worker's to make."""
        if self.executor is not None and self.context.ok():
            self.executor.create_task(self._give_up_failing_engine)

    def _give_up_failing_engine(self) -> None:
        problem = self._engine_health.problem(self._parameter('max_engine_failures'))
        if problem and self._state == 'active':
            self._problem = problem
            self.trigger_deactivate()

    def _hang(self) -> str:
        """What to do about an engine that does not answer; empty while it may."""
        worker = self._worker
        return hang(worker.busy_s, worker.last_s) if worker else ''

    def _publish_diagnostics(self) -> None:
        hanging = self._hang()
        if hanging:
            self.get_logger().error(hanging, **at_most_every(_THROTTLE_S))
        self._diagnostics.publish(
            self._state, self._engine, self.cameras, self._problem or hanging
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; returns the exit code of the process.

    Args:
        args: What the command line has after the program; that of the process by default.

    Raises:
        SystemExit: If they ask for help, or are not ROS arguments.
    """
    _check_arguments(sys.argv[1:] if args is None else args)
    try:
        os.environ.update(profile_environment())
    except FileNotFoundError as error:
        print(f'large best-effort images may get lost: {error}', file=sys.stderr)
    remove_dead_segments()
    return run_until_interrupted(_run, args)


def _check_arguments(args: list[str]) -> None:
    """Answer --help, and refuse what ROS would not heed."""
    parser = argparse.ArgumentParser(
        prog='perception_node',
        usage='%(prog)s [-h] [--ros-args [-p NAME:=VALUE] [-r FROM:=TO] [--params-file FILE] ...]',
        description='The ROS 2 node that turns camera images into semantic and depth maps with '
        'their uncertainties.',
        epilog='config/perception.yaml lists the parameters, docs/ros_interface.md the topics '
        "too; 'ros2 param describe /perception NAME' asks a node that runs. Without "
        '-p autostart:=true it waits for a launch system or lifecycle manager.',
    )
    try:
        parser.parse_args(remove_ros_args(args))
    except RuntimeError as error:  # RCLError
        parser.error(str(error))


def _run() -> int:
    try:
        node = PerceptionNode()
    except (InvalidParameterTypeException, InvalidParameterValueException, ValueError) as error:
        if not rclpy.ok():  # a signal has shut ROS down
            return 0
        get_logger('perception').fatal(str(error))
        return 2
    try:
        executor = SingleThreadedExecutor()
        if node.get_parameter('autostart').value:
            node.start()
        rclpy.spin(node, executor)
    finally:
        if not node.stop():
            node.get_logger().fatal('the engine does not answer: the process ends without it')
            # Nothing else ends the thread that waits for it.
            os._exit(1)
        node.destroy_node()
    return 0


if __name__ == '__main__':
    sys.exit(main())
