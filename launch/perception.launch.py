"""Starts the perception node, brings it to active, and shows its maps in RViz if asked to."""

import os
import posixpath

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.parameters import PARAMETERS
from emuformer_ros.share import share_file

IMAGE = '/camera/image_raw'
RESPAWN_DELAY_S = 2.0

PARAMETER_ARGUMENTS = (
    'checkpoint',
    'engine',
    'device',
    'precision',
    'image_transport',
    'reliability',
    'output_size',
    'resize_mode',
    'rectify',
    'image_is_rectified',
)
"""Parameters of the node that are arguments too; left empty, params_file decides."""

RVIZ_TOPICS = (
    'semantic/overlay',
    'semantic/uncertainty',
    'semantic/confidence',
    'depth/image',
    'depth/uncertainty',
    'depth/reliable',
    'instance/image',
    'points',
)
"""The node's topics in perception.rviz, which has them under the node's default name."""


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'cameras',
                default_value='',
                description='Names of the cameras, such as front,left,right; empty: as '
                'params_file has it, on the topics <camera>/image.',
            ),
            DeclareLaunchArgument(
                'image',
                default_value=IMAGE,
                description="The camera's image topic. Where the argument cameras names some: "
                'with {camera} in the place of their names, such as /{camera}/image_raw; '
                '<camera>/image by default.',
            ),
            DeclareLaunchArgument(
                'camera_info',
                default_value='',
                description="The camera's CameraInfo topic, with {camera} as for the image; empty "
                'for the one beside the image.',
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the node.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(share_file('config/perception.yaml')),
                description='Parameters of the node, all with their units in the packaged one.',
            ),
            *(
                DeclareLaunchArgument(
                    name,
                    default_value='',
                    description=f'{PARAMETERS[name].description} Empty: as params_file has it.',
                )
                for name in PARAMETER_ARGUMENTS
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='',
                description="Take the time from /clock: 'true' or 'false'. Empty: as params_file "
                'has it, and for RViz not.',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='true',
                description="Bring the node to active whenever it starts: 'true'; 'false' where a "
                'lifecycle manager does.',
            ),
            DeclareLaunchArgument(
                'respawn',
                default_value='true',
                description="Start the node again when it ends: 'true' or 'false'.",
            ),
            DeclareLaunchArgument(
                'rviz', default_value='false', description="Show the maps in RViz: 'true'."
            ),
            OpaqueFunction(function=start_node),
            OpaqueFunction(function=start_rviz),
        ]
    )


def start_node(context: LaunchContext) -> list[Action]:
    """The node, with the Fast DDS profile.

    It configures and activates itself: a request by the launch system can get lost when the node
    has been killed and started again.
    """
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=type(PARAMETERS[name].default))
        for name in PARAMETER_ARGUMENTS
        if context.launch_configurations[name]
    }
    if cameras := camera_names(context):
        overrides['cameras'] = cameras
    return [
        # Tells launch of its transitions, for those who include this file.
        LifecycleNode(
            package='emuformer_ros',
            executable='perception_node',
            name='perception',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                params_file(context),
                {'autostart': LaunchConfiguration('autostart'), **overrides},
                *sim_time(context),
            ],
            remappings=camera_remappings(context),
            additional_env=profile_environment(),
            respawn=context.launch_configurations['respawn'].lower() == 'true',
            respawn_delay=RESPAWN_DELAY_S,
            output='screen',
        )
    ]


def params_file(context: LaunchContext) -> str:
    """The file that the argument names; launch_ros would start the node without it, too."""
    given = context.launch_configurations['params_file']
    file = os.path.expanduser(given)
    if not os.path.isfile(file):
        raise ValueError(
            f"params_file is '{given}', which is no file: give the path of one, or leave the "
            'argument out for the packaged one'
        )
    return file


def sim_time(context: LaunchContext) -> list[dict[str, LaunchConfiguration]]:
    """The parameter use_sim_time; nothing where the argument is empty."""
    if not context.launch_configurations['use_sim_time']:
        return []
    return [{'use_sim_time': LaunchConfiguration('use_sim_time')}]


def camera_names(context: LaunchContext) -> list[str]:
    """The names that the argument lists, however it is written; none where it is empty."""
    return [
        name.strip(' \'"')
        for name in context.launch_configurations['cameras'].strip('[] ').split(',')
        if name.strip()
    ]


def camera_remappings(context: LaunchContext) -> list[tuple[str, str]]:
    """The node's remappings to the topics of its camera, or of each of its cameras."""
    cameras = camera_names(context)
    topics = {
        name: context.launch_configurations[name]
        for name in ('image', 'camera_info')
        if context.launch_configurations[name]
    }
    if not cameras:
        for name, topic in topics.items():
            if '{camera}' in topic:
                raise ValueError(
                    f"{name} is '{topic}' and no cameras are named: give their names too, as in "
                    'cameras:=front,left, even if params_file has them'
                )
        return list(topics.items())
    if topics.get('image') == IMAGE:
        del topics['image']
    for name, topic in topics.items():
        if '{camera}' not in topic:
            raise ValueError(
                f"{name} is '{topic}' and the cameras are {', '.join(cameras)}: write {{camera}} "
                'where their names belong'
            )
    return [
        (f'{camera}/{name}', topic.replace('{camera}', camera))
        for camera in cameras
        for name, topic in topics.items()
    ]


def start_rviz(context: LaunchContext) -> list[Action]:
    """RViz on the packaged configuration, which has the default topics, with the actual ones.

    Of several cameras it shows the first.
    """
    namespace = context.launch_configurations['namespace'].strip('/')
    first = camera_names(context)[:1]
    name = '/'.join([*first, 'image'])
    image = dict(camera_remappings(context)).get(name, name)
    # RViz is in no namespace: to it, names relative to the node's have to be absolute.
    remappings = [(IMAGE, posixpath.join('/', namespace, image))]
    node = posixpath.join('/', namespace, 'perception', *first)
    if node != '/perception':
        remappings += [(f'/perception/{topic}', f'{node}/{topic}') for topic in RVIZ_TOPICS]
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            name='rviz2',
            arguments=['-d', str(share_file('config/perception.rviz'))],
            parameters=sim_time(context),
            remappings=remappings,
            additional_env=profile_environment(),
            condition=IfCondition(LaunchConfiguration('rviz')),
            output='screen',
        )
    ]
