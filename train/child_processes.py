"""What processes do that this one has started to work for it."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """End this process when the one that started it is gone, even by SIGTERM or SIGKILL.

    A killed parent cannot tell its children to stop, and they would wait for work for ever. To be
    called in a child of multiprocessing; what it works at ends in the middle.
    """
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent_process().join()
    os._exit(1)
