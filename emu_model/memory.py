"""What a process does with memory that it frees: keeps it for the next frame.

The GNU C library maps each large block anew and unmaps it when it is freed. The kernel clears the
pages of a new block one after the other, as each is first written, which for images, maps and
feature maps takes as long as to copy them.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""

_KEPT_BYTES = 1 << 30
_LARGEST_KEPT_BLOCK_BYTES = 1 << 25
"""More than that, some versions of the library refuse."""


def keep_freed_memory() -> bool:
    """Let this process reuse large blocks that it frees; until it ends they stay its own.

    Returns:
        Whether the C library can be told so: the GNU one can.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    return mallopt is not None and all(
        (
            mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK_BYTES),
            mallopt(_TRIM_THRESHOLD, _KEPT_BYTES),
        )
    )
