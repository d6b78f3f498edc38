import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from emuformer_ros.dds_profile import profile_environment

NAMESPACE = {'dds': 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'}


def test_the_packaged_profile_is_given_to_fast_dds_2_and_3():
    environment = profile_environment({})

    assert set(environment) == {'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'}
    assert all(Path(path).name == 'fastdds_profile.xml' for path in environment.values())
    assert all(Path(path).is_file() for path in environment.values())


@pytest.mark.parametrize(
    'variable',
    [
        'FASTRTPS_DEFAULT_PROFILES_FILE',
        'FASTDDS_DEFAULT_PROFILES_FILE',
        'FASTDDS_BUILTIN_TRANSPORTS',
    ],
)
def test_what_the_user_has_chosen_stays(variable):
    assert profile_environment({variable: 'own choice'}) == {}


def test_an_empty_variable_is_no_choice():
    assert profile_environment({'FASTDDS_BUILTIN_TRANSPORTS': ''}) != {}


def test_the_default_participant_has_shared_memory_for_a_4k_image_and_udp():
    profile = ET.parse(profile_environment({})['FASTDDS_DEFAULT_PROFILES_FILE'])
    transports = {
        transport.findtext('dds:transport_id', namespaces=NAMESPACE): transport
        for transport in profile.iterfind('.//dds:transport_descriptor', NAMESPACE)
    }
    participant = profile.find('.//dds:participant', NAMESPACE)
    used = [
        transports[element.text]
        for element in participant.iterfind('.//dds:userTransports/dds:transport_id', NAMESPACE)
    ]

    assert participant.get('is_default_profile') == 'true'
    assert participant.findtext('.//dds:useBuiltinTransports', namespaces=NAMESPACE) == 'false'
    assert [t.findtext('dds:type', namespaces=NAMESPACE) for t in used] == ['SHM', 'UDPv4']
    rgb8_4k = 3840 * 2160 * 3
    assert int(used[0].findtext('dds:segment_size', namespaces=NAMESPACE)) > rgb8_4k
