"""Steps of a pipeline that run at the same time, a few items ahead of each other."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

Item = TypeVar('Item')

_POLL_S = 0.1


def in_thread(items: Iterable[Item], ahead: int = 2) -> Generator[Item, None, None]:
    """The same items, made in a thread of their own.

    What the making of an item raises is raised here. When this generator is closed, the thread
    ends after the item that it is making, and `items` is closed in it.

    Args:
        items: Iterated in the thread.
        ahead: How many items may wait to be taken.
    """
    waiting: queue.Queue[tuple[Any, BaseException | None, bool]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: Any, error: BaseException | None = None, last: bool = False) -> bool:
        while not stopped.is_set():
            try:
                waiting.put((item, error, last), timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    break
            else:
                put(None, last=True)
        except BaseException as error:
            put(None, error)
        finally:
            if hasattr(items, 'close'):
                items.close()

    thread = threading.Thread(target=work, name='evaluation step', daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = waiting.get()
            if error is not None:
                raise error
            if last:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
