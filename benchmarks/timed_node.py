"""The perception node, with a record of when the engine ran.

    python benchmarks/timed_node.py RECORD --ros-args ...

appends to RECORD, for each run, its start and its end in seconds of time.monotonic, as two
float64.
"""

import struct
import sys
import time
from pathlib import Path

from emu_model.engines import Engine
from emuformer_ros import perception_node


def record_runs(path: Path) -> None:
    """Append to the file whenever an engine has run in this process."""
    predict = Engine.predict
    record = path.open('wb', buffering=0)

    def predict_and_record(engine, *arguments, **options):
        start = time.monotonic()
        prediction = predict(engine, *arguments, **options)
        record.write(struct.pack('=dd', start, time.monotonic()))
        return prediction

    Engine.predict = predict_and_record


if __name__ == '__main__':
    record_runs(Path(sys.argv.pop(1)))
    sys.exit(perception_node.main())
