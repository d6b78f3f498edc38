import threading

from emuformer_ros.mailbox import Mailbox
from emuformer_ros.worker import Worker


def test_items_are_processed_in_another_thread():
    mailbox, done, threads = Mailbox(), threading.Event(), []

    def process(item):
        threads.append((item, threading.current_thread()))
        done.set()

    worker = Worker(mailbox, process)
    mailbox.put('item')
    assert done.wait(10)
    worker.stop()

    assert threads[0][0] == 'item'
    assert threads[0][1] is not threading.current_thread()


def test_items_that_come_while_one_is_processed_are_dropped_but_for_the_last():
    mailbox, busy, go_on, processed = Mailbox(), threading.Event(), threading.Event(), []
    both = threading.Event()

    def process(item):
        processed.append(item)
        busy.set()
        assert go_on.wait(10)
        if len(processed) == 2:
            both.set()

    worker = Worker(mailbox, process)
    mailbox.put(0)
    assert busy.wait(10)
    for item in range(1, 6):
        mailbox.put(item)
    go_on.set()
    assert both.wait(10)
    worker.stop()

    assert processed == [0, 5]
    assert mailbox.dropped == 4


def test_stopping_finishes_the_item_that_is_being_processed():
    mailbox, busy, go_on, finished = Mailbox(), threading.Event(), threading.Event(), []

    def process(item):
        busy.set()
        assert go_on.wait(10)
        finished.append(item)

    worker = Worker(mailbox, process)
    mailbox.put('item')
    assert busy.wait(10)
    threading.Timer(0.05, go_on.set).start()
    worker.stop()

    assert finished == ['item']


def test_a_second_worker_takes_over_the_mailbox_of_the_first():
    mailbox, done = Mailbox(), threading.Event()
    Worker(mailbox, lambda item: None).stop()

    worker = Worker(mailbox, lambda item: done.set())
    mailbox.put('item')

    assert done.wait(10)
    worker.stop()
