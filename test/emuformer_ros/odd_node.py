"""A lifecycle node that misbehaves as its mode says, run in place of the perception node."""

import contextlib
import sys

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image


class OddNode(LifecycleNode):
    def __init__(self):
        super().__init__('perception')
        self.mode = self.declare_parameter('mode', '').value
        self.frames = 0
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(0.2, self.diagnose)

    def on_configure(self, state):
        if self.mode == 'not_configurable':
            self.get_logger().error('there is no such checkpoint')
            return TransitionCallbackReturn.FAILURE
        self.depth = None
        if self.mode != 'late_depth':
            self.advertise_depth()
        self.classes = self.create_publisher(Image, '~/semantic/image', 10)
        self.info = self.create_publisher(CameraInfo, '~/depth/camera_info', 10)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        self.create_subscription(Image, 'image', self.receive, 10)
        self.create_subscription(CameraInfo, '/camera/camera_info', lambda _: None, 10)
        return super().on_activate(state)

    def receive(self, image):
        self.frames += 1
        if self.mode == 'dies' and self.frames > 3:
            print('out of memory', file=sys.stderr)
            sys.exit(9)
        heard = self.classes.get_subscription_count() and self.info.get_subscription_count()
        self.classes.publish(image)
        if self.mode == 'late_depth':
            self.info.publish(CameraInfo(header=image.header))
        if self.depth is not None and self.mode != 'no_depth':
            self.depth.publish(image)
        if heard and self.depth is None:
            self.advertise_depth()

    def advertise_depth(self):
        self.depth = self.create_publisher(Image, '~/depth/image', 10)

    def diagnose(self):
        values = [KeyValue(key='engine', value='odd'), KeyValue(key='device', value='cpu')]
        status = DiagnosticStatus(name='perception: node', values=values)
        self.diagnostics.publish(DiagnosticArray(status=[status]))


if __name__ == '__main__':
    rclpy.init()
    node = OddNode()
    if node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
        node.trigger_activate()
    with contextlib.suppress(KeyboardInterrupt):
        rclpy.spin(node)
