"""The node with an engine that fails on black images, and when it is freed, as on a broken GPU."""

import sys
import weakref

import numpy as np

from emu_model.engines import create_engine
from emuformer_ros import perception_node


def create_failing_engine(*arguments, **options):
    engine = create_engine(*arguments, **options)
    predict = engine.predict
    held = []

    def predict_or_fail(images, outputs=None, size=None):
        if not images.any() and outputs is not None:
            block = np.zeros(2**20, np.uint8)
            held[:] = [weakref.ref(block)]
            raise MemoryError('no memory for a black image')
        return predict(images, outputs, size)

    def release_memory():
        print('asked to release memory,', 'all free' if held[0]() is None else 'some held')

    def fail_to_close():
        raise RuntimeError('an illegal memory access was encountered')

    engine.predict = predict_or_fail
    engine.release_memory = release_memory
    engine.close = fail_to_close
    return engine


perception_node.create_engine = create_failing_engine

if __name__ == '__main__':
    sys.exit(perception_node.main())
