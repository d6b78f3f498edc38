"""Distil on stereo pairs: python -m train.distill_stereo --config NAME.yaml --output DIR.

The student is trained on pseudo labels as by train.fit_stereo and on its teacher as by
train.distill, whose options it both takes.
"""

import sys

from train.cli import main
from train.stereo.module import StereoDistillationModule

if __name__ == '__main__':
    sys.exit(main(StereoDistillationModule, __doc__))
