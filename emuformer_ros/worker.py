"""The thread that runs the network, so that the executor stays free for services."""

import math
import threading
import time
from collections.abc import Callable

from emuformer_ros.camera.mailbox import Item, Mailbox


class Worker:
    """Gives what waits in a mailbox to a function, over and over, in a thread of its own.

    Args:
        mailbox: Where items come in; opened here, closed by `stop`.
        process: What to do with the items that wait; it handles its own errors.
        most: How many items it gets at once at most.
    """

    def __init__(
        self, mailbox: Mailbox[Item], process: Callable[[list[Item]], None], most: int = 1
    ) -> None:
        self._mailbox = mailbox
        self._process = process
        self._most = most
        self._busy_since_s: float | None = None
        self._last_s = 0.0
        self._stopping = self._ended = False
        self._changes = threading.Lock()  # of the two
        mailbox.open()
        self._start()

    @property
    def busy_s(self) -> float:
        """How long it has been at the items that it is at, in seconds; 0 while it waits."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def last_s(self) -> float:
        """How long the items took that it was at last, in seconds; 0 before there were any."""
        return self._last_s

    def stop(self, busy_limit_s: float = math.inf) -> bool:
        """Take no more items, and end the thread; what is being processed is finished first.

        Args:
            busy_limit_s: No longer waited for when it has been at the same items for so long; it
                ends when it is done with them, unless `resume` is called before.

        Returns:
            Whether it has ended.
        """
        self._stopping = True
        self._mailbox.close()
        patience_s = busy_limit_s - self.busy_s
        self._thread.join(max(patience_s, 0.0) if math.isfinite(patience_s) else None)
        return not self._thread.is_alive()

    def resume(self) -> None:
        """Take items again, after a `stop` that was in vain."""
        with self._changes:
            self._stopping = False
            self._mailbox.open()
            if self._ended:
                self._start()

    def _start(self) -> None:
        self._ended = False
        self._thread = threading.Thread(target=self._run, name='perception worker', daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            items = self._mailbox.take(self._most)
            if items:
                self._busy_since_s = time.monotonic()
                self._process(items)
                self._last_s, self._busy_since_s = self.busy_s, None
                continue
            with self._changes:
                if self._stopping:
                    self._ended = True
                    return
