"""`python -m emuformer_ros.demo`: a recording goes through the perception node, as on a robot.

One process plays the camera and records what comes back; the node runs in another, started as a
user would start it, and DDS is between them.
"""


class DemoError(RuntimeError):
    """Why the demo cannot go on, in a sentence for the person who runs it."""
