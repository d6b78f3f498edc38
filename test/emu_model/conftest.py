import os

from emu_model.engines.choice import gpu_count

if gpu_count() == 0:
    # Triton decides when it is first imported whether kernels run in its interpreter.
    os.environ.setdefault('TRITON_INTERPRET', '1')
