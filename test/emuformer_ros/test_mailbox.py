import threading

from emuformer_ros.mailbox import Mailbox


def test_the_latest_item_wins_and_what_it_overwrites_is_counted():
    mailbox = Mailbox()
    for item in ('first', 'second', 'third'):
        mailbox.put(item)

    assert mailbox.take() == 'third'
    assert mailbox.dropped == 2


def test_an_item_is_taken_once():
    mailbox = Mailbox()
    mailbox.put('only')
    mailbox.take()
    mailbox.put('next')

    assert mailbox.take() == 'next'
    assert mailbox.dropped == 0


def test_take_waits_for_an_item():
    mailbox = Mailbox()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()

    mailbox.put('item')
    thread.join(10)

    assert taken == ['item']


def test_closing_ends_a_wait_with_none():
    mailbox = Mailbox()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()

    mailbox.close()
    thread.join(10)

    assert taken == [None]


def test_items_that_nobody_takes_from_a_closed_mailbox_count_as_dropped():
    mailbox = Mailbox()
    mailbox.put('left behind')
    mailbox.close()
    mailbox.put('too late')

    assert mailbox.take() is None
    assert mailbox.dropped == 2


def test_a_mailbox_can_be_opened_again_and_is_empty_then():
    mailbox = Mailbox()
    mailbox.put('old')
    mailbox.close()
    mailbox.open()
    mailbox.put('new')

    assert mailbox.take() == 'new'
    assert mailbox.dropped == 1
