"""The node with an engine that does not answer until the process gets SIGUSR1, as a hung GPU."""

import signal
import sys
import threading

from emu_model.engines import create_engine
from emuformer_ros import perception_node
from emuformer_ros.health import engine_health

go_on = threading.Event()


def create_hanging_engine(*arguments, **options):
    engine = create_engine(*arguments, **options)
    predict = engine.predict

    def wait_and_predict(images, outputs=None, size=None):
        if outputs is not None:  # which warming up does not ask for
            go_on.wait()
        return predict(images, outputs, size)

    engine.predict = wait_and_predict
    return engine


perception_node.create_engine = create_hanging_engine
engine_health.HANG_S = 0.5

if __name__ == '__main__':
    signal.signal(signal.SIGUSR1, lambda *_: go_on.set())
    sys.exit(perception_node.main())
