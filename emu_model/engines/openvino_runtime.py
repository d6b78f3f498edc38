"""OpenVINO without its telemetry.

On import, OpenVINO sends usage data to Intel, unless the user has declined by its own command. A
robot should call nobody that its owner does not know of. OpenVINO has no switch for it but goes
without where the package is missing that sends.
"""

import sys

sys.modules.setdefault('openvino_telemetry', None)

import openvino as ov  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

__all__ = ['ops', 'ov']
