"""The node with an engine on the CPU that takes batches, as one on a GPU does."""

import sys

from emu_model.engines import Engine
from emuformer_ros import perception_node

Engine.batches = property(lambda self: True)
predict = Engine.predict


def predict_and_tell(self, images, outputs=None, size=None):
    print(f'a batch of {len(images)}', flush=True)
    return predict(self, images, outputs, size)


Engine.predict = predict_and_tell

if __name__ == '__main__':
    sys.exit(perception_node.main())
