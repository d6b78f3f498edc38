"""Distil a teacher into one network: python -m train.distill --config NAME.yaml --output DIR.

--model.teacher TEACHER --model.initial_weights STUDENT name the two networks it starts from; it is
as train.fit otherwise. TEACHER is a checkpoint or the folder of an ensemble, STUDENT the trained
SegDepthFormer that the student starts from.
"""

import sys

from train.cli import main
from train.distillation import DistillationModule

if __name__ == '__main__':
    sys.exit(main(DistillationModule, __doc__))
