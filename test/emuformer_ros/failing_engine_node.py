"""The node with an engine that fails on black images, as one does that runs out of memory."""

import sys

from emu_model.engines import create_engine
from emuformer_ros import perception_node


def create_failing_engine(*arguments, **options):
    engine = create_engine(*arguments, **options)
    predict = engine.predict

    def predict_or_fail(images, outputs=None, size=None):
        if not images.any() and outputs is not None:
            raise MemoryError('no memory for a black image')
        return predict(images, outputs, size)

    engine.predict = predict_or_fail
    return engine


perception_node.create_engine = create_failing_engine

if __name__ == '__main__':
    sys.exit(perception_node.main())
