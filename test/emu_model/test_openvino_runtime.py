"""OpenVINO sends its maker nothing from here."""

import os
import subprocess
import sys

import pytest
from source_files import ROOT

from emu_model.checkpoint import BUNDLED

pytest.importorskip('openvino_telemetry')

RUN = f"""
import sys
import numpy as np
from emu_model.engines import create_engine
engine = create_engine({str(BUNDLED)!r}, 'openvino', 'cpu', (64, 96))
engine.predict(np.zeros((64, 96, 3), np.uint8))
print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry.')))
"""


def test_the_engine_runs_without_telemetry(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', RUN],
        cwd=ROOT,
        # In CI it keeps quiet by itself.
        env={**os.environ, 'HOME': str(tmp_path), 'CI': 'false'},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.stdout.strip() == '[]', done.stderr
    # Where it would keep the id of the user and how often it was used.
    assert not (tmp_path / 'intel').exists()
