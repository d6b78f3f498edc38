"""The node, waiting for a CameraInfo for as long as a test may take to publish it."""

import sys

from emuformer_ros import perception_node
from emuformer_ros.geometry import geometry_source

geometry_source._INFO_PATIENCE_S = 600.0

if __name__ == '__main__':
    sys.exit(perception_node.main())
