"""Evaluation of recordings: how good, how sure and how fast a checkpoint is on them.

The command line is emuformer_ros.evaluate_bag; docs/bag_evaluation.md describes what it writes. It
needs no ROS installation, and PyTorch only to compare with ground truth.
"""


class EvaluationError(ValueError):
    """An evaluation that cannot go on; the message says why and names a way out."""
