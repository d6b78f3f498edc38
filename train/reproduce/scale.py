"""How large an experiment is made: the paper's size, a CPU's, or just enough to try it."""

from dataclasses import dataclass

PAPER_MEMBERS = 10
"""Members of an ensemble, heads of a sub-ensemble and passes of Monte Carlo dropout."""


@dataclass(frozen=True)
class Scale:
    """Numbers that decide how long an experiment takes.

    Attributes:
        members: Members of an ensemble; heads per task of a sub-ensemble.
        passes: Forward passes of Monte Carlo dropout.
        seeds: Baselines, fine-tuned baselines and students, each from a seed of its own.
        steps: Training steps of every network but the students; None for the configuration's.
        student_steps: Steps of students and fine-tuned baselines, likewise.
        pretrain_steps: Steps that the encoder shared by all is trained for, where no ImageNet
            weights are to be had.
        validations: How often a run looks at validation frames.
        frame_size: Height and width of synthetic frames; None for the configuration's.
        train_frames: Synthetic training frames; None for the configuration's number.
        validation_frames: Synthetic frames that the best step is chosen on, likewise.
        test_frames: Synthetic frames that figures are reported on.
        shifted_frames: Synthetic test frames under each shift.
        resamples: Resampled test sets behind each interval.
    """

    members: int = PAPER_MEMBERS
    passes: int = PAPER_MEMBERS
    seeds: int = 1
    steps: int | None = None
    student_steps: int | None = None
    pretrain_steps: int = 0
    validations: int = 10
    frame_size: tuple[int, int] | None = None
    train_frames: int | None = None
    validation_frames: int | None = None
    test_frames: int | None = None
    shifted_frames: int | None = None
    resamples: int = 1000


_TRIED_OUT = Scale(members=2, passes=2, steps=100, student_steps=100, validations=1, resamples=200)

SCALES: dict[str, dict[str, Scale]] = {
    'nyuv2': {'full': Scale(), 'quick': _TRIED_OUT},
    'cityscapes': {'full': Scale(), 'quick': _TRIED_OUT},
    'synthetic': {
        'full': Scale(
            seeds=3,
            steps=800,
            student_steps=700,
            pretrain_steps=1500,
            validations=2,
            train_frames=2000,
            validation_frames=64,
            test_frames=200,
            shifted_frames=100,
        ),
        'large': Scale(
            seeds=3,
            steps=8000,
            student_steps=6000,
            pretrain_steps=10000,
            validations=4,
            frame_size=(240, 320),
            train_frames=10_000,
            validation_frames=200,
            test_frames=500,
            shifted_frames=200,
        ),
        'quick': Scale(
            members=2,
            passes=2,
            steps=40,
            student_steps=30,
            pretrain_steps=60,
            validations=1,
            train_frames=128,
            validation_frames=16,
            test_frames=24,
            shifted_frames=16,
            resamples=200,
        ),
    },
}
"""By data set and name."""

SHIFTS = {'synthetic': ('fog', 'night', 'unknown_objects')}
"""Shifts that each data set can show its test frames under."""
