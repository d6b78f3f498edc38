"""Starts the perception node, brings it to active, and shows its maps in RViz if asked to."""

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.parameters import PARAMETERS
from emuformer_ros.share import share_file

PARAMETER_ARGUMENTS = (
    'checkpoint',
    'engine',
    'device',
    'precision',
    'image_transport',
    'reliability',
    'output_size',
)
"""Parameters of the node that are arguments too; left empty, params_file decides."""

RVIZ_TOPICS = ('semantic/overlay', 'semantic/uncertainty', 'depth/image', 'depth/uncertainty')
"""The node's topics in perception.rviz, which has them under the node's default name."""


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'image', default_value='/camera/image_raw', description="The camera's image topic."
            ),
            DeclareLaunchArgument(
                'camera_info',
                default_value='',
                description="The camera's CameraInfo topic; empty for the one beside the image.",
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
                default_value='false',
                description="Take the time from /clock: 'true' or 'false'.",
            ),
            DeclareLaunchArgument(
                'rviz', default_value='false', description="Show the maps in RViz: 'true'."
            ),
            OpaqueFunction(function=start_node),
            OpaqueFunction(function=start_rviz),
        ]
    )


def start_node(context: LaunchContext) -> list[Action]:
    """The node, with the Fast DDS profile, configured and activated whenever it starts."""
    overrides = {
        name: value
        for name in PARAMETER_ARGUMENTS
        if (value := context.launch_configurations[name])
    }
    remappings = [('image', LaunchConfiguration('image'))]
    if context.launch_configurations['camera_info']:
        remappings.append(('camera_info', LaunchConfiguration('camera_info')))
    node = LifecycleNode(
        package='emuformer_ros',
        executable='perception_node',
        name='perception',
        namespace=LaunchConfiguration('namespace'),
        parameters=[
            LaunchConfiguration('params_file'),
            # The events below configure and activate the node.
            {'use_sim_time': LaunchConfiguration('use_sim_time'), 'autostart': False, **overrides},
        ],
        remappings=remappings,
        additional_env=profile_environment(),
        output='screen',
    )
    return [
        RegisterEventHandler(
            OnProcessStart(
                target_action=node, on_start=[change_state(node, Transition.TRANSITION_CONFIGURE)]
            )
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state='configuring',
                goal_state='inactive',
                entities=[change_state(node, Transition.TRANSITION_ACTIVATE)],
            )
        ),
        node,
    ]


def change_state(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(
        event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    )


def start_rviz(context: LaunchContext) -> list[Action]:
    """RViz on the packaged configuration, which has the default topics, with the actual ones."""
    namespace = context.launch_configurations['namespace'].strip('/')
    remappings = [('/camera/image_raw', LaunchConfiguration('image'))]
    if namespace:
        remappings += [
            (f'/perception/{topic}', f'/{namespace}/perception/{topic}') for topic in RVIZ_TOPICS
        ]
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            name='rviz2',
            arguments=['-d', str(share_file('config/perception.rviz'))],
            parameters=[{'use_sim_time': LaunchConfiguration('use_sim_time')}],
            remappings=remappings,
            additional_env=profile_environment(),
            condition=IfCondition(LaunchConfiguration('rviz')),
            output='screen',
        )
    ]
