"""LabelInfo, which no wheel has: against the message's definition, as rosbags reads it.

vision_msgs is not on PyPI, so that its classes here are made from the definition; they check
types, and serialise.
"""

import sys
from types import ModuleType

import pytest
from frames import header
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from emu_model.checkpoint import BUNDLED, read_info
from emuformer_ros.maps.label_info import (
    LABEL_INFO_TYPE,
    label_info_class,
    label_info_message,
    publish_label_info,
)

VISION_CLASS = 'uint16 class_id\nstring class_name\n'
LABEL_INFO = 'std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n'


def without_vision_msgs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch):
    """Message types with vision_msgs, which can be imported during the test."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(VISION_CLASS, 'vision_msgs/msg/VisionClass'))
    store.register(get_types_from_msg(LABEL_INFO, 'vision_msgs/msg/LabelInfo'))
    package, messages = ModuleType('vision_msgs'), ModuleType('vision_msgs.msg')
    for name in ('LabelInfo', 'VisionClass'):
        setattr(messages, name, store.types[f'vision_msgs/msg/{name}'])
    monkeypatch.setitem(sys.modules, 'vision_msgs', package)
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', messages)
    return store


def test_the_message_names_the_classes_of_the_checkpoint(store):
    info = read_info(BUNDLED)
    made = label_info_message(info, rosbags_header(store, second=7))
    data = store.serialize_cdr(made, 'vision_msgs/msg/LabelInfo')
    received = store.deserialize_cdr(data, 'vision_msgs/msg/LabelInfo')

    named = {entry.class_id: entry.class_name for entry in received.class_map}
    assert named == dict(enumerate(info.class_names))
    assert len(received.class_map) == len(info.class_names)
    assert received.header.stamp.sec == 7
    assert received.threshold == 0.0


def test_its_class_is_found_where_it_is_installed(store):
    assert label_info_class() is store.types['vision_msgs/msg/LabelInfo']
    assert LABEL_INFO_TYPE == 'vision_msgs/LabelInfo'


def test_there_is_no_class_where_it_is_not_installed(monkeypatch):
    without_vision_msgs(monkeypatch)

    assert label_info_class() is None
    with pytest.raises(ImportError, match='vision_msgs'):
        label_info_message(read_info(BUNDLED), header(7))


def rosbags_header(store, second: int):
    stamp = store.types['builtin_interfaces/msg/Time'](second, 0)
    return store.types['std_msgs/msg/Header'](stamp=stamp, frame_id='')


def test_nothing_is_published_where_it_is_not_installed(peer, monkeypatch):
    without_vision_msgs(monkeypatch)

    assert publish_label_info(peer.node, '', read_info(BUNDLED)) is None
