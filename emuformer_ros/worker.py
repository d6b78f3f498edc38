"""The thread that runs the network, so that the executor stays free for services."""

import threading
from collections.abc import Callable

from emuformer_ros.mailbox import Item, Mailbox


class Worker:
    """Gives the latest item of a mailbox to a function, over and over, in a thread of its own.

    Args:
        mailbox: Where items come in; opened here, closed by `stop`.
        process: What to do with an item; it handles its own errors.
    """

    def __init__(self, mailbox: Mailbox[Item], process: Callable[[Item], None]) -> None:
        self._mailbox = mailbox
        self._process = process
        self._thread = threading.Thread(target=self._run, name='perception worker', daemon=True)
        mailbox.open()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; an item that is being processed is finished first."""
        self._mailbox.close()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._mailbox.take()) is not None:
            self._process(item)
