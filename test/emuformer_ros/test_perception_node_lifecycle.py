"""Configure, activate, deactivate, clean up; what fails, what is refused, how the node ends."""

import signal

import pytest
from frames import IMAGE_TOPIC, image_message, picture
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from emuformer_ros.perception_node import main

DEPTH = '/perception/depth/image'
OK, ERROR = b'\x00', b'\x02'


def test_the_node_waits_unconfigured_when_it_is_not_told_to_start(node, peer):
    values = peer.diagnostics(part='node').wait_for_value('state', 'unconfigured')

    assert peer.state() == 'unconfigured'
    assert values['engine'] == ''


def test_diagnostics_say_what_runs_and_where(active_node, peer):
    values = peer.diagnostics(part='node').wait_for_value('state', 'active')
    values |= peer.diagnostics().wait_for(lambda values: 'image_topic' in values, 'a camera')

    assert values['engine'] == 'torch'
    assert values['device'] == 'cpu'
    assert values['precision'] == 'fp32'
    assert values['image_topic'] == IMAGE_TOPIC
    assert values['camera_info_topic'] == '/camera/camera_info'
    assert 'runs on cpu (torch, fp32; asked for)' in active_node.log


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (None, "no checkpoint at '"),
        (b'not a checkpoint', 'is truncated or not a safetensors file'),
    ],
)
def test_a_checkpoint_that_cannot_be_used_fails_configure_and_another_one_works(
    content, reason, node, peer, checkpoints, tmp_path
):
    start = len(node.log)
    path = tmp_path / 'some.safetensors'
    if content:
        path.write_bytes(content)
    assert peer.set_parameter('checkpoint', str(path)).successful

    assert not peer.transition('configure')
    assert peer.state() == 'unconfigured'
    assert 'ERROR' in node.log[start:]
    assert reason in node.log[start:]
    assert str(path) in node.log[start:]
    assert 'Traceback' not in node.log[start:]
    status = peer.diagnostics(part='node')
    values = status.wait_for(lambda values: values['level'] == ERROR, 'an error')
    assert values['message'].startswith('cannot configure: ')
    assert reason in values['message']
    assert values['state'] == 'unconfigured'

    assert peer.set_parameter('checkpoint', str(checkpoints['DepthFormer'])).successful
    assert peer.transition('configure')
    assert peer.state() == 'inactive'
    status.wait_for(lambda values: values['level'] == OK, 'the end of the error')


def test_cuda_where_there_is_none_fails_configure_and_the_log_says_so(node, peer, checkpoints):
    import torch

    start = len(node.log)
    absent = f'cuda:{torch.cuda.device_count()}'
    assert peer.set_parameter('checkpoint', str(checkpoints['DepthFormer'])).successful
    assert peer.set_parameter('device', absent).successful

    assert not peer.transition('configure')
    assert peer.state() == 'unconfigured'
    assert f"device '{absent}' was asked for" in node.log[start:]


def test_half_a_network_size_fails_configure(node, peer):
    start = len(node.log)
    assert peer.set_parameter('network_height', 96).successful

    assert not peer.transition('configure')
    assert 'network_height is 96 and network_width 0: give both' in node.log[start:]


def test_a_network_size_is_the_size_of_the_maps_of_network_size(node, peer, checkpoints):
    peer.configure_and_activate(
        checkpoint=str(checkpoints['DepthFormer']),
        network_height=40,
        network_width=56,
        output_size='network',
    )
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    depths = peer.collect(Image, DEPTH)
    publisher.publish(image_message(picture()))
    peer.wait_for_messages([depths], 1, 'a depth map')

    assert (depths[0].height, depths[0].width) == (40, 56)


def test_a_deactivated_node_is_silent_and_an_activated_one_goes_on(active_node, peer):
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    depths = peer.collect(Image, DEPTH)
    publisher.publish(image_message(picture(), 1))
    peer.wait_for_messages([depths], 1, 'a depth map')

    assert peer.transition('deactivate')
    assert peer.state() == 'inactive'
    peer.wait_for(lambda: publisher.get_subscription_count() == 0, 'the end of the subscription')
    publisher.publish(image_message(picture(), 2))

    assert peer.transition('activate')
    peer.wait_for(lambda: publisher.get_subscription_count() == 1, 'a new subscription')
    publisher.publish(image_message(picture(), 3))
    peer.wait_for_messages([depths], 2, 'a depth map of the node that is active again')
    assert [message.header.stamp.sec for message in depths] == [1, 3]


def test_cleaning_up_ends_the_topics_and_configuring_makes_them_again(
    active_node, peer, checkpoints
):
    peer.collect(Image, DEPTH)
    assert peer.transition('deactivate')
    assert peer.transition('cleanup')
    assert peer.state() == 'unconfigured'
    peer.wait_for(lambda: peer.node.count_publishers(DEPTH) == 0, 'the end of the depth topic')

    peer.configure_and_activate(checkpoint=str(checkpoints['DepthFormer']))
    publisher = peer.publisher(Image, IMAGE_TOPIC)
    depths = peer.collect(Image, DEPTH)
    publisher.publish(image_message(picture()))
    peer.wait_for_messages([depths], 1, 'a depth map')


def test_a_transition_that_the_state_does_not_have_is_refused(node, peer):
    assert not peer.transition('activate')
    assert not peer.transition('cleanup')

    assert peer.state() == 'unconfigured'
    assert node.is_alive()


@pytest.mark.parametrize('service', [SetParameters, SetParametersAtomically])
def test_values_of_no_type_are_refused_and_nothing_is_set(service, node, peer):
    before = peer.parameters()
    good = Parameter('overlay_opacity', value=0.25).to_parameter_msg()
    odd = ParameterMessage(name='max_age_s', value=ParameterValue(type=255))
    name = 'set_parameters' + ('_atomically' if service is SetParametersAtomically else '')
    answer = peer.call(service, f'/perception/{name}', service.Request(parameters=[good, odd]))
    for result in getattr(answer, 'results', None) or [answer.result]:
        assert not result.successful
        assert result.reason == 'max_age_s: the value is of no type that parameters have'
    assert peer.parameters() == before
    assert node.is_alive()


REFUSED = [
    ('overlay_opacity', 1.5, 'Min: 0.0, Max: 1.0'),
    ('overlay_opacity', -0.1, 'Min: 0.0, Max: 1.0'),
    ('overlay_opacity', float('nan'), 'Min: 0.0, Max: 1.0'),
    ('network_width', 100_000, 'Min: 0, Max: 4096'),
    ('network_height', -1, 'Min: 0, Max: 4096'),
    ('output_size', 'huge', "choose 'camera' or 'network'"),
    ('engine', 'steam', "engine cannot be 'steam': choose 'auto'"),
    ('device', 'gpu', "choose 'auto', 'cpu', 'cuda' or 'cuda:N'"),
    ('reliability', 'best', "choose 'auto', 'reliable' or 'best_effort'"),
    ('image_transport', 'theora', "choose 'raw' or 'compressed'"),
    ('autostart', True, 'read-only'),
    ('overlay_opacity', 'half', 'Wrong parameter type'),
]


def test_values_that_are_not_allowed_are_refused_with_what_is(node, peer):
    before = peer.parameters()
    for name, value, reason in REFUSED:
        result = peer.set_parameter(name, value)
        assert not result.successful, (name, value)
        assert reason in result.reason
    assert peer.parameters() == before


def test_what_the_engine_was_made_of_cannot_change_until_it_is_cleaned_up(active_node, peer):
    wanted = {
        'checkpoint': '/other.safetensors',
        'engine': 'torch',
        'device': 'cpu',
        'network_height': 96,
        'network_width': 96,
    }
    for state in ('active', 'inactive'):
        for name, value in wanted.items():
            result = peer.set_parameter(name, value)
            assert not result.successful
            assert result.reason == (
                f'the node is {state}; {name} can be changed while the node is unconfigured: '
                'deactivate it and clean it up first'
            )
        if state == 'active':
            assert peer.transition('deactivate')

    assert peer.transition('cleanup')
    assert all(peer.set_parameter(name, value).successful for name, value in wanted.items())


def test_how_the_camera_is_subscribed_to_cannot_change_while_active(active_node, peer):
    for name, value in {'image_transport': 'compressed', 'reliability': 'best_effort'}.items():
        result = peer.set_parameter(name, value)
        assert not result.successful
        assert 'while the node is not active: deactivate it first' in result.reason

    assert peer.transition('deactivate')
    assert peer.set_parameter('reliability', 'best_effort').successful


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_ends_a_waiting_node_with_code_0_and_no_traceback(how, start_node, peer):
    node = start_node(remaps={'__node': 'waiting'})
    peer.state('/waiting')

    assert node.stop(how) == 0
    assert 'Traceback' not in node.log


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_ends_a_node_that_is_processing_even_if_it_comes_twice(how, start_active, peer):
    node = start_active('busy')
    publisher = peer.publisher(Image, '/busy/image_raw')
    depths = peer.collect(Image, '/busy/depth/image')
    publisher.publish(image_message(picture()))
    peer.wait_for_messages([depths], 1, 'a depth map')
    publisher.publish(image_message(picture(720, 960)))

    node.send(how)
    assert node.stop(how) == 0
    assert 'Traceback' not in node.log
    assert 'ERROR' not in node.log


def test_a_signal_while_the_model_loads_ends_the_node_with_code_0(start_active, peer):
    node = start_active('loading')
    peer.wait_for(
        lambda: '/loading/get_state' in dict(peer.node.get_service_names_and_types()),
        'the services of the node',
    )

    assert node.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in node.log


def test_help_says_how_arguments_are_given_and_starts_no_node(capsys):
    with pytest.raises(SystemExit, match='0'):
        main(['--help'])

    usage = capsys.readouterr().out
    assert '--ros-args [-p NAME:=VALUE] [-r FROM:=TO]' in usage
    assert 'config/perception.yaml lists the parameters' in usage


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['-p', 'autostart:=true'], 'unrecognized arguments: -p'),
        (['--ros-args', '-p', 'autostart'], "override rule: '-p autostart'"),
    ],
)
def test_arguments_that_ros_does_not_heed_are_refused(arguments, reason, capsys):
    with pytest.raises(SystemExit, match='2'):
        main(arguments)

    assert reason in capsys.readouterr().err


def test_a_bad_parameter_at_start_ends_the_node_with_a_line_that_names_the_range(start_node):
    node = start_node(parameters={'overlay_opacity': 2.0})

    assert node.wait() == 2
    assert 'overlay_opacity' in node.log
    assert 'Min: 0.0, Max: 1.0' in node.log
    assert 'Traceback' not in node.log


def test_parameters_that_the_node_does_not_have_are_named_in_one_warning(start_node, peer):
    node = start_node(
        parameters={
            'max_depth_std': 1.0,
            'resize_modes': 'crop',
            'xyzzy': 1,
            'resize_mode': 'crop',
            'use_sim_time': 'false',
            'qos_overrides./camera/image_raw.subscription.depth': 1,
        },
        remaps={'__node': 'misspelt', 'image': IMAGE_TOPIC},
    )
    assert peer.state('/misspelt') == 'unconfigured'

    warnings = [line for line in node.log.splitlines() if 'no such parameter' in line]
    assert len(warnings) == 1
    assert 'WARN' in warnings[0]
    assert warnings[0].endswith(
        "such parameter: 'max_depth_std' (is 'max_depth_std_m' meant?), 'resize_modes' "
        "(is 'resize_mode' meant?), 'xyzzy'; config/perception.yaml lists those that it has"
    )


def test_parameters_of_a_file_that_are_other_nodes_are_not_warned_of(start_node, peer, tmp_path):
    file = tmp_path / 'robot.yaml'
    file.write_text(
        '/planner: {ros__parameters: {resize_modes: crop}}\n'
        '/named: {ros__parameters: {max_depth_std: 1.0}}\n'
        '/**: {ros__parameters: {resize_mode: crop}}\n'
    )
    program = ('-m', 'emuformer_ros.perception_node', '--ros-args', '--params-file', str(file))
    node = start_node(program=program, remaps={'__node': 'named'})
    assert peer.state('/named') == 'unconfigured'

    assert "such parameter: 'max_depth_std' (is" in node.log
    assert 'resize_modes' not in node.log
