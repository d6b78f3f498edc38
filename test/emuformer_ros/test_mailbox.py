import threading

import hypothesis
from hypothesis import strategies as st

from emuformer_ros.camera.mailbox import Mailbox


def one_slot():
    mailbox = Mailbox()
    return mailbox, mailbox.slot()


def test_the_latest_item_wins_and_what_it_overwrites_is_counted():
    mailbox, slot = one_slot()
    for item in ('first', 'second', 'third'):
        slot.put(item)

    assert mailbox.take() == ['third']
    assert slot.dropped == 2


def test_an_item_is_taken_once():
    mailbox, slot = one_slot()
    slot.put('only')
    mailbox.take()
    slot.put('next')

    assert mailbox.take() == ['next']
    assert slot.dropped == 0


def test_each_sender_has_a_place_of_its_own():
    mailbox, left = one_slot()
    right = mailbox.slot()
    for item in range(3):
        left.put(('left', item))
    right.put(('right', 0))

    assert mailbox.take(5) == [('left', 2), ('right', 0)]
    assert (left.dropped, right.dropped) == (2, 0)


def test_no_more_are_taken_than_asked_for_and_the_rest_waits():
    mailbox = Mailbox()
    for name in 'abcde':
        mailbox.slot().put(name)

    assert [mailbox.take(2) for _ in range(3)] == [['a', 'b'], ['c', 'd'], ['e']]


def test_a_sender_that_keeps_sending_keeps_its_place_in_the_queue():
    mailbox, busy = one_slot()
    calm = mailbox.slot()
    busy.put('old')
    calm.put('calm')
    busy.put('new')

    assert mailbox.take() == ['new']
    assert mailbox.take() == ['calm']


@hypothesis.given(
    senders=st.integers(1, 6),
    most=st.integers(1, 4),
    events=st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=200),
)
def test_whoever_has_waited_longest_is_next_whatever_arrives(senders, most, events):
    """Random arrivals against a plain list of who waits: None is the worker, taking."""
    mailbox = Mailbox()
    slots = [mailbox.slot() for _ in range(senders)]
    queue, latest, dropped, waited = [], {}, [0] * senders, dict.fromkeys(range(senders), 0)
    for number, sender in enumerate(events):
        if sender is None:
            if not queue:
                continue
            taken = mailbox.take(most)
            assert taken == [latest[each] for each in queue[:most]]
            for each in queue[most:]:
                waited[each] += len(taken)
            for each in queue[:most]:
                waited[each] = 0
            queue = queue[most:]
        else:
            sender %= senders
            dropped[sender] += sender in queue
            queue += [] if sender in queue else [sender]
            latest[sender] = (sender, number)
            slots[sender].put(latest[sender])
        assert max(waited.values()) < senders

    assert [slot.dropped for slot in slots] == dropped


def test_take_waits_for_an_item():
    mailbox, slot = one_slot()
    taken = []
    thread = threading.Thread(target=lambda: taken.extend(mailbox.take()))
    thread.start()

    slot.put('item')
    thread.join(10)

    assert taken == ['item']


def test_closing_ends_a_wait_with_nothing():
    mailbox, taken = Mailbox(), []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()

    mailbox.close()
    thread.join(10)

    assert taken == [[]]


def test_items_that_nobody_takes_from_a_closed_mailbox_count_as_dropped():
    mailbox, slot = one_slot()
    slot.put('left behind')
    mailbox.close()
    slot.put('too late')

    assert mailbox.take() == []
    assert slot.dropped == 2


def test_a_mailbox_can_be_opened_again_and_is_empty_then():
    mailbox, slot = one_slot()
    slot.put('old')
    mailbox.close()
    mailbox.open()
    slot.put('new')

    assert mailbox.take() == ['new']
    assert slot.dropped == 1
