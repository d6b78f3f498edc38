"""The security policy against the graph of a node that runs: all of it, and nothing else."""

from xml.etree import ElementTree

import pytest

from emuformer_ros.maps.label_info import LABEL_INFO_TOPIC
from emuformer_ros.maps.outputs import MAP_TOPICS
from emuformer_ros.share import share_file

NODE, NAMESPACE = 'perception', '/'
GRAPH_QUERIES = {
    ('topics', 'publish'): 'get_publisher_names_and_types_by_node',
    ('topics', 'subscribe'): 'get_subscriber_names_and_types_by_node',
    ('services', 'reply'): 'get_service_names_and_types_by_node',
    ('services', 'request'): 'get_client_names_and_types_by_node',
}


@pytest.fixture(scope='module')
def policy() -> ElementTree.Element:
    return ElementTree.parse(share_file('config/sros2_policy.xml')).getroot()


def allowed(policy: ElementTree.Element, kind: str, what: str) -> set[str]:
    """Full names of what the policy allows the node."""
    names = [
        entry.text
        for group in policy.iter(kind)
        if group.get(what) == 'ALLOW'
        for entry in group.iter(kind.removesuffix('s'))
    ]
    assert len(names) == len(set(names))
    return {name.replace('~', f'/{NODE}') for name in names}


def used(peer, query: str) -> set[str]:
    """Full names of what the node has in the graph."""
    return {name for name, _ in getattr(peer.node, query)(NODE, NAMESPACE)}


def test_the_policy_allows_what_the_node_uses_and_nothing_else(active_node, peer, policy):
    expected = {key: allowed(policy, *key) for key in GRAPH_QUERIES}
    # Not in the graph here: vision_msgs is not installed, and the network has no such head.
    absent = [LABEL_INFO_TOPIC, *(topic.name for topic in MAP_TOPICS if topic.task == 'instance')]
    expected['topics', 'publish'] -= {name.replace('~', f'/{NODE}') for name in absent}
    found = {key: set() for key in expected}
    try:
        assert peer.set_parameter('use_sim_time', True).successful
        for transport in ('compressed', 'raw'):
            assert peer.transition('deactivate')
            assert peer.set_parameter('image_transport', transport).successful
            assert peer.transition('activate')
            suffix = '/compressed' if transport == 'compressed' else ''
            peer.wait_for(
                lambda topic=f'/camera/image_raw{suffix}': (
                    topic in used(peer, GRAPH_QUERIES['topics', 'subscribe'])
                ),
                f'a subscription to {transport} images',
            )
            for key, query in GRAPH_QUERIES.items():
                found[key] |= used(peer, query)
    finally:
        assert peer.set_parameter('use_sim_time', False).successful

    assert found == expected


def test_the_policy_has_the_form_that_sros2_reads(policy):
    """The schema of SROS2's policy language, version 0.2.0, in words."""
    assert (policy.tag, policy.attrib) == ('policy', {'version': '0.2.0'})
    (enclaves,) = policy
    (enclave,) = enclaves
    assert (enclave.tag, enclave.attrib) == ('enclave', {'path': '/perception'})
    (profiles,) = enclave
    (profile,) = profiles
    assert (profile.tag, profile.attrib) == ('profile', {'ns': NAMESPACE, 'node': NODE})
    for group in profile:
        (right, value), *others = group.attrib.items()
        assert (group.tag, right) in GRAPH_QUERIES
        assert (value, others) == ('ALLOW', [])
        assert {entry.tag for entry in group} == {group.tag.removesuffix('s')}
        assert all(not entry.attrib and entry.text[0] in '/~' for entry in group)
