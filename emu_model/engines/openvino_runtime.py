"""OpenVINO without its telemetry, and the one Core of this process.

On import, OpenVINO sends usage data to Intel, unless the user has declined by its own command. A
robot should call nobody that its owner does not know of. OpenVINO has no switch for it but goes
without where the package is missing that sends.
"""

import sys
from functools import cache

sys.modules.setdefault('openvino_telemetry', None)

import openvino as ov  # noqa: E402
from openvino import opset13 as ops  # noqa: E402


@cache
def core() -> ov.Core:
    """The runtime, for whoever uses it in this process, and never freed.

    With its first use of the CPU, each Core gives the thread a stack for signals, and takes it
    away when it is freed: by another thread, or after one that was made later, that leaves a
    thread whose next signal that is handled in Python (Ctrl-C is one) ends the process.
    """
    return ov.Core()


__all__ = ['core', 'ops', 'ov']
