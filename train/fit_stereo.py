"""Train on stereo pairs: python -m train.fit_stereo --config FILE ... --output DIR.

With several --config FILE, each overrides those before: train/configs/stereo/NAME.yaml, then
train/configs/method/stereo_alone.yaml or stereo_joint.yaml. --data.pseudo_labels names the folder
that train.pseudo_labels has written; it is as train.fit otherwise. docs/training.md has the three
runs that make a network.
"""

import sys

from train.cli import main
from train.stereo.module import StereoModule

if __name__ == '__main__':
    sys.exit(main(StereoModule, __doc__))
