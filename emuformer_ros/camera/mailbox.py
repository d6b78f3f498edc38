"""Between the executor and the worker: a place for each camera, where its latest frame wins."""

import itertools
import threading
import time
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Slot(Generic[Item]):
    """One sender's place in a mailbox.

    Attributes:
        dropped: Items that nobody took, because a later one came or the mailbox was closed.
    """

    def __init__(self, mailbox: 'Mailbox[Item]') -> None:
        self.dropped = 0
        self._mailbox = mailbox

    def put(self, item: Item) -> None:
        """Leave an item; one that is still there is dropped."""
        self._mailbox.put(self, item)


class Mailbox(Generic[Item]):
    """Holds the latest item of every sender until it is taken; the rest is counted, not queued.

    Whoever has waited longest is taken first, and an item that replaces another takes over its
    place in the queue: with N senders, none waits for more than N - 1 others, however often they
    send.
    """

    def __init__(self) -> None:
        self._waiting: dict[Slot[Item], Item] = {}  # by how long the sender has waited
        self._open = True
        self._changed = threading.Condition()

    def slot(self) -> Slot[Item]:
        """A place for one more sender."""
        return Slot(self)

    def put(self, slot: Slot[Item], item: Item) -> None:
        """Leave an item of a sender; one of its that is still there is dropped."""
        with self._changed:
            slot.dropped += slot in self._waiting or not self._open
            if self._open:
                self._waiting[slot] = item
            self._changed.notify()
        # Lets go of the interpreter, so that who has waited begins at once: an executor would go
        # on for half a millisecond, until it waits itself.
        time.sleep(0)

    def take(self, most: int = 1) -> list[Item]:
        """At most so many items, waiting for the first; none when the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or self._waiting)
            slots = list(itertools.islice(self._waiting, most))
            return [self._waiting.pop(slot) for slot in slots]

    def open(self) -> None:
        """Let `take` wait for items again."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """Drop what is there and give nothing to whoever waits, until it is opened again."""
        with self._changed:
            for slot in self._waiting:
                slot.dropped += 1
            self._waiting.clear()
            self._open = False
            self._changed.notify_all()
