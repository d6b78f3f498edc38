"""OpenVINO sends its maker nothing from here, and signals come where they should."""

import os
import subprocess
import sys

import pytest
from source_files import ROOT

from emu_model.checkpoint import BUNDLED

pytest.importorskip('openvino_telemetry')

QUIET = f"""
import sys
import numpy as np
from emu_model.engines import create_engine
engine = create_engine({str(BUNDLED)!r}, 'openvino', 'cpu', (64, 96))
engine.predict(np.zeros((64, 96, 3), np.uint8))
print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry.')))
"""

INTERRUPTED = f"""
import gc, signal
from emu_model.engines import create_engine
signal.signal(signal.SIGINT, lambda *_: print('interrupted'))
first, second = (create_engine({str(BUNDLED)!r}, 'openvino', 'cpu', (64, 96)) for _ in range(2))
first.close()
del first
gc.collect()
second.close()
del second
gc.collect()
signal.raise_signal(signal.SIGINT)
"""


def run(program, home):
    return subprocess.run(
        [sys.executable, '-c', program],
        cwd=ROOT,
        # In CI it keeps quiet by itself.
        env={**os.environ, 'HOME': str(home), 'CI': 'false'},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_engine_runs_without_telemetry(tmp_path):
    done = run(QUIET, tmp_path)
    assert done.stdout.strip() == '[]', done.stderr
    # Where it would keep the id of the user and how often it was used.
    assert not (tmp_path / 'intel').exists()


def test_a_signal_after_several_engines_is_handled(tmp_path):
    done = run(INTERRUPTED, tmp_path)
    assert (done.stdout.strip(), done.returncode) == ('interrupted', 0), done.stderr
