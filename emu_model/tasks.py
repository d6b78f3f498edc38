"""The tasks a network can have: one head, one raw output and a few maps each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """What a network predicts per pixel.

    Attributes:
        name: Key of the task's head and of its raw output.
        outputs: The maps made of the raw output, named as the fields of Prediction.
        channels: Channels of the raw output; None where it is the number of classes.
    """

    name: str
    outputs: tuple[str, ...]
    channels: int | None


SEMANTIC = Task('semantic', ('classes', 'entropy', 'confidence'), None)
"""Logits over the classes."""

DEPTH = Task('depth', ('depth', 'depth_std'), 2)
"""Mean (through ReLU) and variance (through softplus) of a Gaussian over metres."""

TASKS = {task.name: task for task in (SEMANTIC, DEPTH)}

NETWORKS = {
    'Encoder': (),
    'SegFormer': ('semantic',),
    'DepthFormer': ('depth',),
    'SegDepthFormer': ('semantic', 'depth'),
}
"""The tasks of each named network, in the order of its heads. An Encoder has none: it is what
training starts from."""

OUTPUTS = tuple(output for task in TASKS.values() for output in task.outputs)
"""Every map that any network with the task can give."""


EPISTEMIC_OUTPUTS = {'semantic': 'mutual_information', 'depth': 'depth_epistemic_std'}
"""By task, the map that shows how far several samples disagree; single networks have none."""


def outputs_of(tasks: tuple[str, ...], *, sampled: bool = False) -> tuple[str, ...]:
    """The maps that a network with these tasks can give, with `sampled` from several samples."""
    outputs = tuple(output for task in tasks for output in TASKS[task].outputs)
    return outputs + (tuple(EPISTEMIC_OUTPUTS[task] for task in tasks) if sampled else ())
