"""MiT's sizes as test parameters; the two largest, more blocks of the same, take long."""

import pytest

from emu_model.mit_variants import VARIANTS

MIT = [
    pytest.param(name, marks=pytest.mark.slow) if name in ('mit_b4', 'mit_b5') else name
    for name in VARIANTS
]
