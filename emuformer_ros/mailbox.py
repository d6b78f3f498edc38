"""A mailbox of one between the executor and the worker: the latest frame wins."""

import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """Holds the latest item until it is taken; what an item overwrites is counted, not queued.

    Attributes:
        dropped: Items that nobody took, because a later one came or the mailbox was closed.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._item: Item | None = None
        self._open = True
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        """Leave an item; one that is still there is dropped."""
        with self._changed:
            self._drop()
            self._item = item
            if not self._open:
                self._drop()
            self._changed.notify()

    def take(self) -> Item | None:
        """The latest item, waiting for one; None when the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or self._item is not None)
            item, self._item = self._item, None
            return item

    def open(self) -> None:
        """Let `take` wait for items again."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Drop what is there and give None to whoever waits, until the mailbox is opened again."""
        with self._changed:
            self._drop()
            self._open = False
            self._changed.notify_all()

    def _drop(self) -> None:
        self.dropped += self._item is not None
        self._item = None
