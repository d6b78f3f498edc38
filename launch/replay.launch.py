"""Plays a recording, with its time, through the perception node, and shows the maps in RViz."""

import os
import posixpath
import shlex
import sys

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from emuformer_ros.dds_profile import profile_environment
from emuformer_ros.share import share_file

CLOCK_HZ = '100'


def generate_launch_description() -> LaunchDescription:
    """The arguments of perception.launch.py, all but use_sim_time, can be given too."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'bag', description='The recording: a folder or file of rosbag2.'
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='How many times as fast to play it.'
            ),
            DeclareLaunchArgument(
                'loop',
                default_value='false',
                description="Begin anew at its end: 'true' or 'false'.",
            ),
            DeclareLaunchArgument(
                'play_options',
                default_value='',
                description='Further options of ros2 bag play, such as --topics TOPIC TOPIC for '
                "a recording that has the node's own maps too.",
            ),
            DeclareLaunchArgument(
                'rviz', default_value='true', description="Show the maps in RViz: 'true'."
            ),
            OpaqueFunction(function=play_when_active),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(share_file('launch/perception.launch.py'))),
                launch_arguments={
                    'use_sim_time': 'true',
                    'rviz': LaunchConfiguration('rviz'),
                }.items(),
            ),
        ]
    )


def play_when_active(context: LaunchContext) -> list[Action]:
    """Plays from the beginning as soon as the node listens: no frame is lost to its start.

    Once only: not again where the node is started or activated again.
    """
    namespace = context.launch_configurations.get('namespace', '')
    node = posixpath.join('/', namespace.strip('/'), 'perception')
    waiting = ExecuteProcess(
        cmd=[sys.executable, '-m', 'emuformer_ros.wait_until_active', node],
        additional_env=profile_environment(),
        output='screen',
    )
    loop = context.launch_configurations['loop'].lower() == 'true'
    player = ExecuteProcess(
        cmd=[
            *('ros2', 'bag', 'play', bag(context)),
            *('--clock', CLOCK_HZ, '--rate', LaunchConfiguration('rate')),
            *(['--loop'] if loop else []),
            *shlex.split(context.launch_configurations['play_options']),
        ],
        additional_env=profile_environment(),
        output='screen',
    )

    def play(event: ProcessExited, context: LaunchContext) -> list[Action]:
        return [player] if event.returncode == 0 else []

    return [
        RegisterEventHandler(OnProcessExit(target_action=waiting, on_exit=play)),
        waiting,
    ]


def bag(context: LaunchContext) -> str:
    """The recording that the argument names; without it the node would wait for images forever."""
    given = context.launch_configurations['bag']
    path = os.path.expanduser(given)
    if not os.path.exists(path):
        raise ValueError(
            f"bag is '{given}', and there is none: give the path of a folder or file of rosbag2"
        )
    return path
