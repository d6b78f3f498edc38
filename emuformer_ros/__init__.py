"""The ROS 2 side of EMUFormer: a lifecycle node from camera images to maps."""
