"""Recordings: read and written without a ROS installation."""
