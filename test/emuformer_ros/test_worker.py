import threading
import time

import pytest

from emuformer_ros.camera.mailbox import Mailbox
from emuformer_ros.worker import Worker


def test_items_are_processed_in_another_thread():
    mailbox, done, threads = Mailbox(), threading.Event(), []

    def process(items):
        threads.append((items, threading.current_thread()))
        done.set()

    worker = Worker(mailbox, process)
    mailbox.slot().put('item')
    assert done.wait(10)
    worker.stop()

    assert threads[0][0] == ['item']
    assert threads[0][1] is not threading.current_thread()


class Gate:
    """A function for a worker that waits with its first items until it may go on."""

    def __init__(self):
        self.busy, self.go_on, self.finished = (threading.Event() for _ in range(3))
        self.processed = []

    def __call__(self, items):
        self.busy.set()
        assert self.go_on.wait(10)
        self.processed.append(items)
        if len(self.processed) == 2:
            self.finished.set()


def test_items_that_come_while_one_is_processed_are_dropped_but_for_the_last():
    mailbox, gate = Mailbox(), Gate()
    slot = mailbox.slot()
    worker = Worker(mailbox, gate)
    slot.put(0)
    assert gate.busy.wait(10)
    for item in range(1, 6):
        slot.put(item)
    gate.go_on.set()
    assert gate.finished.wait(10)
    worker.stop()

    assert gate.processed == [[0], [5]]
    assert slot.dropped == 4


def test_items_of_several_senders_that_wait_together_are_processed_together():
    mailbox, gate = Mailbox(), Gate()
    slots = [mailbox.slot() for _ in range(4)]
    worker = Worker(mailbox, gate, most=3)
    slots[0].put('a')
    assert gate.busy.wait(10)
    for slot, item in zip(slots, ('b', 'c', 'd')):
        slot.put(item)
    gate.go_on.set()
    assert gate.finished.wait(10)
    worker.stop()

    assert gate.processed == [['a'], ['b', 'c', 'd']]


def test_how_long_it_is_busy_begins_with_the_items_and_ends_with_them():
    mailbox, gate = Mailbox(), Gate()
    slot = mailbox.slot()
    before_s = time.monotonic()
    worker = Worker(mailbox, gate)
    assert worker.busy_s == 0.0
    slot.put(0)
    assert gate.busy.wait(10)
    first_s = worker.busy_s
    assert 0.0 < first_s < worker.busy_s < time.monotonic() - before_s
    assert worker.last_s == 0.0
    gate.go_on.set()
    worker.stop()

    assert worker.busy_s == 0.0
    assert first_s < worker.last_s < time.monotonic() - before_s


def test_stopping_finishes_the_item_that_is_being_processed():
    mailbox, gate = Mailbox(), Gate()
    worker = Worker(mailbox, gate)
    mailbox.slot().put('item')
    assert gate.busy.wait(10)
    threading.Timer(0.05, gate.go_on.set).start()
    worker.stop()

    assert gate.processed == [['item']]


def test_stopping_gives_up_when_the_items_have_taken_too_long_and_it_ends_after_them():
    mailbox, gate = Mailbox(), Gate()
    slot = mailbox.slot()
    worker = Worker(mailbox, gate)
    slot.put('first')
    assert gate.busy.wait(10)
    for _ in range(2):
        assert not worker.stop(busy_limit_s=0.1)
        assert worker.busy_s >= 0.1
    slot.put('second')
    gate.go_on.set()

    assert worker.stop(busy_limit_s=10.0)
    assert gate.processed == [['first']]
    assert slot.dropped == 1


@pytest.mark.parametrize('ended', [False, True])
def test_it_goes_on_after_stopping_in_vain(ended):
    mailbox, gate = Mailbox(), Gate()
    slot = mailbox.slot()
    worker = Worker(mailbox, gate)
    slot.put('first')
    assert gate.busy.wait(10)
    assert not worker.stop(busy_limit_s=0.1)
    if ended:
        gate.go_on.set()
        assert worker.stop()
    worker.resume()
    slot.put('second')
    gate.go_on.set()

    assert gate.finished.wait(10)
    assert gate.processed == [['first'], ['second']]
    assert worker.stop()


def test_a_second_worker_takes_over_the_mailbox_of_the_first():
    mailbox, done = Mailbox(), threading.Event()
    Worker(mailbox, lambda items: None).stop()

    worker = Worker(mailbox, lambda items: done.set())
    mailbox.slot().put('item')

    assert done.wait(10)
    worker.stop()
