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

INSTANCE = Task('instance', ('offset_x', 'offset_y'), 2)
"""Where the centroid of the pixel's object is (Kendall et al. 2018, arXiv 1705.07115)."""

TASKS = {task.name: task for task in (SEMANTIC, DEPTH, INSTANCE)}

NETWORKS = {
    'Encoder': (),
    'SegFormer': ('semantic',),
    'DepthFormer': ('depth',),
    'InstanceFormer': ('instance',),
    'SegDepthFormer': ('semantic', 'depth'),
    'SegInstanceFormer': ('semantic', 'instance'),
    'DepthInstanceFormer': ('depth', 'instance'),
    'SegDepthInstanceFormer': ('semantic', 'depth', 'instance'),
}
"""The tasks of each named network, in the order of its heads. An Encoder has none: it is what
training starts from."""

GROUPED_OUTPUTS = {'instances': ('semantic', 'instance')}
"""Maps that are made of those of several tasks together (emu_model.grouping), with the tasks."""

OUTPUTS = (*(output for task in TASKS.values() for output in task.outputs), *GROUPED_OUTPUTS)
"""Every map that any network with the task or tasks can give."""


EPISTEMIC_OUTPUTS = {'semantic': 'mutual_information', 'depth': 'depth_epistemic_std'}
"""By task, the map that shows how far several samples disagree; single networks have none.
Offsets to a centroid have no uncertainty."""


def outputs_of(tasks: tuple[str, ...], *, sampled: bool = False) -> tuple[str, ...]:
    """The maps that a network with these tasks can give, with `sampled` from several samples."""
    outputs = [output for task in tasks for output in TASKS[task].outputs]
    outputs += [name for name, needed in GROUPED_OUTPUTS.items() if set(needed) <= set(tasks)]
    if sampled:
        outputs += [name for task, name in EPISTEMIC_OUTPUTS.items() if task in tasks]
    return tuple(outputs)
